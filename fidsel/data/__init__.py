"""Frames: configurations and labels; reading, writing, checking and splitting them."""

from fidsel.data.checks.check import Finding, check
from fidsel.data.checks.leaks import leaks, neighbour_share
from fidsel.data.frames import DenseFrames, Frames
from fidsel.data.reading import read, read_with_notes, write
from fidsel.data.splitting import split, split_indices
from fidsel.data.units import Units

__all__ = [
    "DenseFrames",
    "Finding",
    "Frames",
    "Units",
    "check",
    "leaks",
    "neighbour_share",
    "read",
    "read_with_notes",
    "split",
    "split_indices",
    "write",
]
