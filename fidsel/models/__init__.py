"""Force fields behind one contract."""
