"""Pickers: which frames to label next."""
