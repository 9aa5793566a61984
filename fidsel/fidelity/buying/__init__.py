"""Buying labels: what may be ordered, the purchase itself, when to stop it."""
