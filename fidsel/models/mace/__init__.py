"""The adapter of MACE."""
