"""PNG and SVG drawn by matplotlib, without a display and without global state."""
