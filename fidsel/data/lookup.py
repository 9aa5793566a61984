"""`Lookup` and `AnyOrder`: find configurations among others by their coordinates."""

from collections.abc import Iterator

import numpy as np

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
        from scipy.spatial import cKDTree

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


class AnyOrder:
    """An index of frames that sees through the order of their atoms, not through rotations.

    Two frames are one configuration where every atom of one lies on one atom of the same element of the
    other and on no second one, so that it is sure which is which.

    Parameters
    ----------
    frames : n frames to look among.
    tolerance : Å ≥ 0, largest difference of a coordinate or cell vector component.

    Examples
    --------
    >>> known = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    >>> rows, order = AnyOrder(known).find(Frames.stack([1, 8, 1], known.positions[None, [2, 0, 1]]))
    >>> rows.tolist(), order.tolist()
    ([0], [2, 0, 1])
    """

    def __init__(self, frames: Frames, tolerance: float = TOLERANCE) -> None:
        from scipy.spatial import cKDTree

        self.frames = frames
        self._reach = tolerance * (1 + 1e-9) + 1e-12
        self._scale = 2 * (1 + float(np.abs(frames.positions).max(initial=0.0)))
        self._index = {kind: (rows, cKDTree(points)) for kind, rows, points in self._kinds(frames)}

    def knows_atoms(self, frames: Frames) -> bool:
        """Return whether a frame of the same atoms, charge, spin and pbc is known for the first of these."""
        return any(kind in self._index for kind, _, _ in self._kinds(frames[:1]))

    def find(self, frames: Frames) -> tuple[IntArray, IntArray]:
        """Return the row of each frame, and which atom there each of its atoms is.

        Returns
        -------
        rows : (m,), −1 where there is none.
        order : (m_atoms,); atom a of frame i is atom order[offsets[i] + a] of the frame in that row.
        """
        found, order = np.full(len(frames), -1), np.arange(len(frames.numbers))
        order -= np.repeat(frames.offsets[:-1], frames.sizes)
        for kind, asked, points in self._kinds(frames):
            if kind not in self._index:
                continue
            rows, tree = self._index[kind]
            for i, near in zip(
                asked.tolist(), tree.query_ball_point(points, self._reach, p=np.inf), strict=True
            ):
                for row in rows[near].tolist():
                    match = self._matched(frames, i, row)
                    if match is not None:
                        found[i], order[frames.offsets[i] : frames.offsets[i + 1]] = row, match
                        break
        return found, order

    def _matched(self, frames: Frames, i: int, row: int) -> IntArray | None:
        """Return which atom of a known frame each atom of a frame is, None unless that is sure."""
        ours = slice(frames.offsets[i], frames.offsets[i + 1])
        theirs = slice(self.frames.offsets[row], self.frames.offsets[row + 1])
        apart = np.abs(frames.positions[ours][:, None] - self.frames.positions[theirs]).max(axis=2)
        near = apart <= self._reach
        near &= frames.numbers[ours][:, None] == self.frames.numbers[theirs]
        sure = (near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all()
        return near.argmax(axis=1) if sure else None

    def _kinds(self, frames: Frames) -> Iterator[tuple[bytes, IntArray, FloatArray]]:
        """Yield the rows of frames of each kind, and features that do not change with the order of atoms.

        Features are the means of coordinates and of their squares over the atoms of each element, and the
        cell; squares are scaled so that all of them change by `tolerance` at most where coordinates do.
        """
        for kind, rows in rows_by_kind(frames, ordered=False).items():
            chosen = frames[rows]
            size = int(chosen.offsets[1])
            numbers = chosen.numbers.reshape(-1, size)
            order = np.argsort(numbers, axis=1, kind="stable")
            xyz = np.take_along_axis(chosen.positions.reshape(-1, size, 3), order[..., None], axis=1)
            _, first, count = np.unique(np.sort(numbers[0]), return_index=True, return_counts=True)
            means = [
                np.add.reduceat(values, first, axis=1) / count[:, None]
                for values in (xyz, xyz**2 / self._scale)
            ]
            parts = [values.reshape(len(rows), -1) for values in (*means, chosen.cell)]
            yield kind, rows, np.concatenate(parts, axis=1)


def in_order_of(frames: Frames, known: Frames, tolerance: float = TOLERANCE) -> Frames:
    """Return known frames, each in the order of atoms of that one of `frames` that is the same but for it.

    Parameters
    ----------
    frames : whose order of atoms is wanted.
    known : frames with labels; those that are none of `frames` stay as they are.
    tolerance : Å ≥ 0, largest difference of a coordinate or cell vector component.
    """
    missing = frames[Lookup(known, tolerance).find(frames) < 0]
    if len(missing) == 0:
        return known
    rows, order = AnyOrder(known, tolerance).find(missing)
    atoms = np.arange(len(known.numbers))
    for i in np.flatnonzero(rows >= 0).tolist():
        first = known.offsets[rows[i]]
        own = order[missing.offsets[i] : missing.offsets[i + 1]]
        atoms[first : first + len(own)] = first + own
    return known.replace(
        numbers=known.numbers[atoms], positions=known.positions[atoms], forces=known.forces[atoms]
    )


def rows_by_kind(
    frames: Frames, *, ordered: bool = True, extra: IntArray | None = None
) -> dict[bytes, IntArray]:
    """Return the rows of frames that agree in atoms, charge, spin and pbc.

    Parameters
    ----------
    ordered : whether their atoms must stand in the same order.
    extra : (n_frames, k) what else they must agree in.
    """
    members: dict[bytes, list[int]] = {}
    state = [frames.charge, frames.spin, frames.pbc, *([] if extra is None else [extra])]
    for i, (row, start, stop) in enumerate(
        zip(np.column_stack(state), frames.offsets[:-1], frames.offsets[1:], strict=True)
    ):
        atoms = frames.numbers[start:stop]
        kind = np.concatenate([row, atoms if ordered else np.sort(atoms)]).tobytes()
        members.setdefault(kind, []).append(i)
    return {kind: np.array(rows) for kind, rows in members.items()}


def _kinds(frames: Frames) -> Iterator[tuple[bytes, IntArray, FloatArray]]:
    """Yield the rows and (n, 3N + 9) coordinates of frames of each kind: atoms, charge, spin and pbc."""
    if not (np.isfinite(frames.positions).all() and np.isfinite(frames.cell).all()):
        raise UsageError("a look-up needs finite positions and cells; drop the frames that check() names")
    for kind, rows in rows_by_kind(frames).items():
        chosen = frames[rows]
        coordinates = [chosen.positions.reshape(len(rows), -1), chosen.cell.reshape(len(rows), -1)]
        yield kind, rows, np.concatenate(coordinates, axis=1)
