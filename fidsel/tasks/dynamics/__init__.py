"""`fidsel md`: what it runs, where it starts, what it checks."""
