"""Descriptors: one row of features per frame."""
