"""What models ask of the frames they are given."""

import numpy as np

from fidsel.data import Frames
from fidsel.errors import UsageError


def require_molecules(frames: Frames, kind: str) -> None:
    """Raise a `UsageError` where a frame is periodic, naming what can treat it."""
    periodic = np.flatnonzero(frames.pbc.any(axis=1))
    if len(periodic):
        raise UsageError(
            f"{kind} is for molecules: frame {periodic[0]} is periodic ({len(periodic)} of {len(frames)}). "
            "Use an adapter that treats crystals, such as kind = 'mace'"
        )


def require_level(level: str | None, available: str) -> None:
    """Raise a `UsageError` where a model of one level is asked for another."""
    if level is not None and level != available:
        raise UsageError(f"this model predicts level {available!r}, not {level!r}: train one at that level")
