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


def require_level(level: str | None, *available: str) -> None:
    """Raise a `UsageError` where a model is asked for a level it does not predict."""
    if level is not None and level not in available:
        known = " or ".join(map(repr, available))
        raise UsageError(f"this model predicts level {known}, not {level!r}: train one at that level")


def require_at_least(kind: str, **values: tuple[int, int]) -> None:
    """Raise a `UsageError` for the first named value below its least, given as (value, least)."""
    for name, (value, least) in values.items():
        if value < least:
            raise UsageError(f"{name} of {kind} must be ≥ {least}, got {value}")


def require_positive(kind: str, unit: str, **values: float) -> None:
    """Raise a `UsageError` for the first named value that is not positive."""
    for name, value in values.items():
        if not value > 0:
            raise UsageError(f"{name} of {kind} must be positive {unit}, got {value}")
