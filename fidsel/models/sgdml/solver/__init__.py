"""The linear system of a fit: its factor where that fits into memory, else an iteration."""
