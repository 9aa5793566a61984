"""Frames: configurations and labels; reading, writing, checking and splitting them."""

from fidsel.data.frames import DenseFrames, Frames

__all__ = ["DenseFrames", "Frames"]
