"""Bias weights: teachers that judge cheap labels."""
