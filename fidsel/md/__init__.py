"""Pool sampling by molecular dynamics."""
