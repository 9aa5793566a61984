"""Refinement of a trained model for systems unlike those it has learnt from."""
