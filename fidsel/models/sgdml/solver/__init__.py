"""The linear system of a fit: solved by a factor where that fits into memory, else by iteration."""
