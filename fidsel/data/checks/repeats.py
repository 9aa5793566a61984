"""Rules of the data check about configurations that appear more than once."""

import numpy as np

from fidsel.arrays import IntArray
from fidsel.data.checks.finding import Finding, about, by_level
from fidsel.data.checks.leaks import first_alike
from fidsel.data.frames import Frames

SAME_ENERGY, SAME_FORCE = 0.05, 0.1
"""eV and eV/Å: two calculations of one configuration at one level differ by less, in whatever program."""


def duplicates(frames: Frames) -> list[Finding]:
    """Report configurations that appear more than once at a level."""
    repeated = np.zeros(len(frames), dtype=bool)
    for _, rows, _ in by_level(frames):
        repeated[rows] = first_alike(frames[rows]) != np.arange(len(rows))
    return about(
        "warning", "duplicates", repeated,
        "{n} frames repeat an earlier one of the same level, perhaps moved, turned, rounded or in another "
        "order of atoms: leave them out",
    )  # fmt: skip


def contradictions(frames: Frames) -> list[Finding]:
    """Report frames whose labels are not those of an earlier one with the same configuration and level.

    A training takes the first of them, so the order of a file would decide what is learnt.
    """
    first = first_of(frames)
    rows = np.flatnonzero(first != np.arange(len(frames)))
    if not len(rows):
        return []
    earlier, later = frames[first[rows]], frames[rows]
    energy = np.nan_to_num(abs(later.energy - earlier.energy))
    forces = later.per_frame(np.maximum, np.nan_to_num(abs(later.forces - earlier.forces)).max(axis=1))
    wrong = np.zeros(len(frames), dtype=bool)
    wrong[rows] = (energy > SAME_ENERGY) | (forces > SAME_FORCE)
    return about(
        "error", "contradictions", wrong,
        "the labels of {n} frames contradict those of an earlier frame with the same configuration and level "
        f"(energies by up to {energy.max():.3g} eV, forces by up to {forces.max():.3g} eV/Å): keep the right "
        "ones, or name their levels",
    )  # fmt: skip


def first_of(frames: Frames) -> IntArray:
    """Return (n_frames,) the row of the first frame with the same configuration and level."""
    keys = np.array([f"{i} {level}" for i, level in zip(frames.ids, frames.level.tolist(), strict=True)])
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    found: IntArray = first[back]
    return found
