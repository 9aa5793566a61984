"""Frames of the same atoms in the same order, which stack into one array."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from fidsel.arrays import IntArray
from fidsel.data.frames import Frames


def alike(frames: Frames, *names: str, among: Iterable[int] | None = None) -> list[IntArray]:
    """Return the rows of frames of the same atoms in the same order, in the order in which they begin.

    Parameters
    ----------
    names : of columns that must be the same too, such as "charge".
    among : rows that count; None = all.

    >>> hydrogen = Frames.stack([1, 1], np.zeros((2, 2, 3)))
    >>> water = Frames.stack([8, 1, 1], np.zeros((1, 3, 3)))
    >>> [rows.tolist() for rows in alike(hydrogen[:1] + water + hydrogen[1:])]
    [[0, 2], [1]]
    """
    found: dict[tuple[Any, ...], list[int]] = {}
    columns = [getattr(frames, name).tolist() for name in names]
    for row in range(len(frames)) if among is None else among:
        atoms = frames.numbers[frames.offsets[row] : frames.offsets[row + 1]]
        found.setdefault((atoms.tobytes(), *(column[row] for column in columns)), []).append(row)
    return [np.array(rows, dtype=np.int64) for rows in found.values()]
