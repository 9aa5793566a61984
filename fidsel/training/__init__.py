"""Losses, stages, fit and recipes."""
