"""What commands print, for a terminal."""
