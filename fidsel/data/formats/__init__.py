"""One module per file format: what is in a file, in the file's own units."""
