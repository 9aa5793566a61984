"""What models ask of the frames they are given."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from scipy.spatial.distance import pdist, squareform

from fidsel.arguments import Bound
from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError

COINCIDE = 1e-3
"""Å, below which two atoms are in one place."""


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Put the name of a set of frames in front of the message of a `UsageError` raised inside.

    >>> with blaming("validation frames"):
    ...     raise UsageError("atoms must be apart, ...")
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: validation frames: atoms must be apart, ...
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from error


class Electrons(NamedTuple):
    """The electronic state that all frames of a model share, as it sees positions and elements only.

    Parameters
    ----------
    charge : e, of a whole frame.
    spin : unpaired electrons.
    """

    charge: int
    spin: int

    @classmethod
    def of(cls, frames: Frames, kind: str) -> Self:
        """Return the state of frames to learn from, or raise a `UsageError` where there are several."""
        for name in cls._fields:
            if len(values := np.unique(getattr(frames, name))) > 1:
                raise UsageError(
                    f"{kind} does not see the {name}: all frames, to train on and to validate on, must have "
                    f"the same, got {values.tolist()}; train one model for each"
                )
        return cls(int(frames.charge[0]), int(frames.spin[0]))


def require_electrons(frames: Frames, learnt: Electrons | None, kind: str) -> None:
    """Raise a `UsageError` where a frame has another state than the model has learnt; None = unknown."""
    for name, value in () if learnt is None else learnt._asdict().items():
        if others := sorted(set(getattr(frames, name).tolist()) - {value}):
            raise UsageError(
                f"this {kind} model has learnt frames of {name} {value} and does not see the {name}: it "
                f"cannot treat {name} {', '.join(map(str, others))}; train one for it, or correct the {name} "
                f"of the frames (ASE: atoms.info[{name!r}])"
            )


def require_molecules(frames: Frames, kind: str) -> None:
    """Raise a `UsageError` where a frame is periodic, naming what can treat it."""
    periodic = np.flatnonzero(frames.pbc.any(axis=1))
    if len(periodic):
        raise UsageError(
            f"{kind} is for molecules: frame {periodic[0]} is periodic ({len(periodic)} of {len(frames)}). "
            "Use an adapter that treats crystals, such as kind = 'mace'"
        )


def require_elements(frames: Frames, largest: int, kind: str) -> None:
    """Raise a `UsageError` naming atoms that are no element from 1 to the largest a model knows."""
    foreign = np.flatnonzero((frames.numbers < 1) | (frames.numbers > largest))
    if len(foreign):
        raise UsageError(
            f"{kind} knows elements from 1 to {largest}: {_atoms(frames, foreign)} are "
            f"{sorted(set(frames.numbers[foreign].tolist()))}; correct their numbers, or leave them out"
        )


def require_finite(frames: Frames) -> None:
    """Raise a `UsageError` naming atoms whose positions are NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(frames.positions).all(axis=1))
    if len(bad):
        raise UsageError(
            f"positions must be finite, those of {_atoms(frames, bad)} are NaN or infinite: remove that frame"
        )


def require_apart(frames: Frames, *predicted: FloatArray) -> None:
    """Raise a `UsageError` naming coinciding atoms where what was predicted from them is not finite.

    Distances are looked at in that case only: all other predictions pay for none.
    """
    if not all(np.isfinite(values).all() for values in predicted):
        require_distances(frames)


def require_distances(frames: Frames) -> None:
    """Raise a `UsageError` naming coinciding atoms, after a look at the distances of every frame."""
    for first, stop in pairwise(frames.offsets.tolist()):
        near = pdist(frames.positions[first:stop]) < COINCIDE
        if near.any():
            close = first + np.flatnonzero(squareform(near).any(axis=1))
            raise UsageError(
                f"atoms must be apart, {_atoms(frames, close)} are nearer than {COINCIDE:g} Å to each other: "
                "remove that frame"
            )


def require_level(level: str | None, *available: str) -> None:
    """Raise a `UsageError` where a model is asked for a level it does not predict."""
    if level is not None and level not in available:
        known = " or ".join(map(repr, available))
        raise UsageError(f"this model predicts level {known}, not {level!r}: train one at that level")


def counts_of(kind: str, **values: tuple[int, int]) -> dict[str, int]:
    """Return named counts, given as (value, least), as Python's own numbers.

    Raises a `UsageError` for the first that is no whole number or below its least.

    >>> counts_of("painn", features=(np.int64(8), 2))
    {'features': 8}
    """
    return {
        name: Bound(ge=least).require(f"{name} of {kind}", value, whole=True)
        for name, (value, least) in values.items()
    }


def length_of(kind: str, name: str, value: float) -> float:
    """Return a length, Å, as Python's own number; raise a `UsageError` unless it is positive and finite."""
    return float(Bound(gt=0).require(f"{name} of {kind}, in Å,", value))


def _atoms(frames: Frames, rows: IntArray) -> str:
    """Return how to call those of some atoms that are in the first one's frame."""
    frame = int(np.searchsorted(frames.offsets, rows[0], side="right")) - 1
    own = rows[rows < frames.offsets[frame + 1]] - frames.offsets[frame]
    return f"atoms {own.tolist()} of frame {frame}"
