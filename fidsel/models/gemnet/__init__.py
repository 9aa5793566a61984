"""GemNet."""
