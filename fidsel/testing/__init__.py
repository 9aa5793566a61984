"""Contract checks anyone can run on their own source, model or picker."""
