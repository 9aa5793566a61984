"""Pictures: PNG or SVG drawn by matplotlib, without a display and without global state."""
