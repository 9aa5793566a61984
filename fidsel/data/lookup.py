"""`Lookup`: find configurations among others by their coordinates."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from fidsel.arrays import FloatArray, IntArray
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError

TOLERANCE = 1e-5
"""Å; coordinates that went through a file with few digits, or through other units, differ by less."""


class Lookup:
    """An index of frames by their coordinates as given: a rotated or renumbered frame is another one.

    Labels and levels do not matter; see `leaks` for a comparison that sees through rotations.

    Raises `UsageError` for a negative tolerance or coordinates that are not finite.

    Parameters
    ----------
    frames : n frames to look among.
    tolerance : Å ≥ 0, largest difference of a coordinate or cell vector component.

    Examples
    --------
    >>> known = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.74]], [[0, 0, 0], [0, 0, 0.80]]])
    >>> Lookup(known).find(Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.800001]], [[0, 0, 0], [0, 0, 0.9]]]))
    array([ 1, -1])
    """

    def __init__(self, frames: Frames, tolerance: float = TOLERANCE) -> None:
        if not 0 <= tolerance < np.inf:
            raise UsageError(f"tolerance must be a length ≥ 0 in Å, got {tolerance}")
        self.tolerance = tolerance
        self._index = {kind: (rows, cKDTree(points)) for kind, rows, points in _kinds(frames)}

    def find(self, frames: Frames) -> IntArray:
        """Return (m,) the row of the nearest frame within the tolerance for each frame, −1 for none."""
        found = np.full(len(frames), -1)
        reach = self.tolerance * (1 + 1e-9) + 1e-12
        for kind, asked, points in _kinds(frames):
            if kind in self._index:
                rows, tree = self._index[kind]
                distance, nearest = tree.query(points, p=np.inf, distance_upper_bound=reach)
                near = np.isfinite(distance)
                found[asked[near]] = rows[nearest[near]]
        return found

    def distance(self, frames: Frames) -> FloatArray:
        """Return (m,) Å, how far a coordinate of the nearest frame is off, inf where no atoms agree."""
        found = np.full(len(frames), np.inf)
        for kind, asked, points in _kinds(frames):
            if kind in self._index:
                found[asked] = self._index[kind][1].query(points, p=np.inf)[0]
        return found


def _kinds(frames: Frames) -> Iterator[tuple[bytes, IntArray, FloatArray]]:
    """Yield the rows and (n, 3N + 9) coordinates of frames of each kind: atoms, charge, spin and pbc."""
    if not (np.isfinite(frames.positions).all() and np.isfinite(frames.cell).all()):
        raise UsageError("a look-up needs finite positions and cells; drop the frames that check() names")
    members: dict[bytes, list[int]] = {}
    for i, (start, stop) in enumerate(pairwise(frames.offsets)):
        settings = (frames.charge[i : i + 1], frames.spin[i : i + 1], frames.pbc[i])
        members.setdefault(np.concatenate([*settings, frames.numbers[start:stop]]).tobytes(), []).append(i)
    for kind, rows in members.items():
        chosen = frames[rows]
        coordinates = [chosen.positions.reshape(len(rows), -1), chosen.cell.reshape(len(rows), -1)]
        yield kind, np.array(rows), np.concatenate(coordinates, axis=1)
