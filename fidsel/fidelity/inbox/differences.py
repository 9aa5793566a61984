"""What differs between a configuration that was asked for and one that came, in words."""

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.lookup import TOLERANCE, AnyOrder

REMEDY = "leave the atoms where the exported files have them (Gaussian: nosymm; Psi4: no_com, no_reorient)"
ALIKE = 1e-3
"""Å; where all distances between atoms agree to this, the molecule has the same shape."""


def what_differs(asked: Frames, came: Frames) -> str:
    """Return what makes a frame another one than that which was asked for, and what to do about it.

    Parameters
    ----------
    asked, came : one frame each.

    Examples
    --------
    >>> water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    >>> what_differs(water, water.replace(positions=water.positions + [0, 0, 1.5])).partition(":")[0]
    'it was moved by 1.5 Å'
    """
    if not np.array_equal(np.sort(asked.numbers), np.sort(came.numbers)):
        return f"it is of another molecule, {came.formulas[0]} instead of {asked.formulas[0]}"
    for name, what in (("charge", "charge"), ("spin", "unpaired electrons (2S)")):
        one, other = (int(getattr(frame, name)[0]) for frame in (asked, came))
        if one != other:
            return f"{what}: {other} instead of {one}"
    if (asked.pbc != came.pbc).any() or np.abs(asked.cell - came.cell).max() > TOLERANCE:
        return "its cell or its periodic directions are others"
    apart = float(np.abs(distances(asked) - distances(came)).max(initial=0.0))
    if apart > ALIKE:
        return f"its geometry is another: distances between atoms differ by up to {apart:.2g} Å"
    shift = came.positions.mean(axis=0) - asked.positions.mean(axis=0)
    back = came.replace(positions=came.positions - shift)
    if AnyOrder(asked).find(back)[0][0] >= 0:
        return f"it was moved by {np.linalg.norm(shift):.3g} Å: {REMEDY}"
    return f"it was rotated, or is its mirror image: {REMEDY}"


def distances(frame: Frames) -> FloatArray:
    """Return the distances between the atoms of one frame, Å, sorted within each pair of elements."""
    first, second = np.triu_indices(len(frame.numbers), 1)
    found: FloatArray = np.linalg.norm(frame.positions[first] - frame.positions[second], axis=1)
    pair = np.sort(frame.numbers[np.column_stack([first, second])], axis=1)
    return found[np.lexsort((found, pair[:, 1], pair[:, 0]))]


def nearest(known: Frames, came: Frames) -> Frames:
    """Return the frame, of several, that a frame is most like in shape; any where none has its atoms.

    Parameters
    ----------
    known : at least one frame.
    came : one frame.
    """
    same = [i for i, formula in enumerate(known.formulas) if formula == came.formulas[0]]
    if not same:
        return known[:1]
    apart = [np.abs(distances(known[[i]]) - distances(came)).max(initial=0.0) for i in same]
    return known[[same[int(np.argmin(apart))]]]
