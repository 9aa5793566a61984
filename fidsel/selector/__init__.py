"""Descriptors, clusters, error sources and pickers."""
