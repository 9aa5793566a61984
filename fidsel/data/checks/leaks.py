"""Audit of a split: configurations on both sides, and neighbours in time across it."""

from collections.abc import Iterator

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray, StrArray
from fidsel.data.frames import Frames
from fidsel.data.lookup import rows_by_kind
from fidsel.exceptions import UsageError

CHUNK = 1 << 20
"""Distances that are computed at once (some copies of 8 MiB)."""

LARGEST = 300
"""Atoms; the distances of larger frames are too many to compare all frames of a set with each other."""

PROBES = 12
"""Distances the search looks at before the whole list is compared."""


def leaks(a: Frames, b: Frames, tolerance: float = 1e-3) -> IntArray:
    """Return the rows of `a` that coincide with a frame of `b`.

    Two frames coincide when they have the same elements, charge, spin, cell and pbc, and their pair
    distances, sorted within each pair of elements, agree to `tolerance` one by one. So frames that
    differ by a rotation, a translation, a reflection or the order of like atoms coincide; labels and
    levels do not matter. Distances are those of the coordinates as given: periodic frames that differ
    by a lattice vector on some atoms only are not found.

    Parameters
    ----------
    a, b : frames, e.g. held out and training.
    tolerance : Å, ≥ 0.

    Raises
    ------
    UsageError
        for a negative tolerance or positions that are not finite.
    """
    _require_comparable(tolerance, a, b)
    there = _by_kind(b)
    here = ((rows, there[kind]) for kind, rows in _by_kind(a).items() if kind in there)
    found = [rows[_near(a, rows, b, others, tolerance)] for rows, others in here]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *found]))


def first_alike(frames: Frames, tolerance: float = 2e-4) -> IntArray:
    """Return (n,) the row of the first frame that each coincides with: its own, where there is none before.

    Frames coincide as for `leaks`, those of more than `LARGEST` atoms where their coordinates do. A frame is
    compared with those alone that have none before themselves, so that frames in a dense row are not one.
    Coordinates with four decimals agree to the tolerance; among few atoms, frames agree to more by chance.
    Raises `UsageError` as `leaks` does.

    Examples
    --------
    >>> hydrogen = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.74]], [[0, 0, 0], [0, 0, 0.8]]])
    >>> first_alike(hydrogen + hydrogen.replace(positions=hydrogen.positions + 5.0)).tolist()
    [0, 1, 0, 1]
    """
    _require_comparable(tolerance, frames)
    first = np.arange(len(frames))
    for rows in _by_kind(frames).values():
        if frames.sizes[rows[0]] > LARGEST:
            _, begin, back = np.unique(np.array(frames[rows].ids), return_index=True, return_inverse=True)
            first[rows] = rows[begin[back]]
            continue
        for i, near in enumerate(_candidates(frames, rows, frames, rows, tolerance)):
            earlier = [row for other in sorted(near) if other < i and first[row := rows[other]] == row]
            if earlier:
                same = _coincide(frames, rows[i], frames, np.array(earlier), tolerance)
                if same.any():
                    first[rows[i]] = earlier[int(same.argmax())]
    return first


def neighbour_share(held_out: IntArray, train: IntArray, group: StrArray) -> float:
    """Return the share of held-out frames that come right before or after a training frame.

    Parameters
    ----------
    held_out, train : rows, as `split_indices` returns them.
    group : (n,) trajectory of every row, each in time order.
    """
    if not len(held_out):
        raise UsageError("neighbour_share needs at least one held-out frame, got none")
    order = np.argsort(np.unique(group, return_inverse=True)[1], kind="stable")
    trained = np.isin(order, train)
    together = group[order[:-1]] == group[order[1:]]
    beside = np.zeros(len(group), dtype=bool)
    beside[order[1:]] |= trained[:-1] & together
    beside[order[:-1]] |= trained[1:] & together
    return float(beside[held_out].mean())


def _by_kind(frames: Frames) -> dict[bytes, IntArray]:
    """Return the rows of each kind of frame: elements, charge, spin, cell (to 1e-3 Å) and pbc."""
    cells = np.rint(frames.cell * 1e3).astype(np.int64).reshape(len(frames), 9)
    return rows_by_kind(frames, ordered=False, extra=cells)


def _sorted(frames: Frames, rows: IntArray) -> FloatArray:
    """Return (n, pairs) distances of frames of one kind, sorted within each pair of elements."""
    from scipy.spatial.distance import pdist

    size = int(frames.offsets[rows[0] + 1] - frames.offsets[rows[0]])
    if size == 1:
        return np.zeros((len(rows), 1))
    atoms = frames.offsets[rows][:, None] + np.arange(size)
    atoms = np.take_along_axis(atoms, np.argsort(frames.numbers[atoms], axis=1, kind="stable"), axis=1)
    elements = frames.numbers[atoms[0]]
    distances = np.stack([pdist(xyz) for xyz in frames.positions[atoms]])
    kinds, number = np.unique(elements, return_inverse=True)
    i, j = np.triu_indices(size, 1)
    pair = number[i] * len(kinds) + number[j]
    return np.concatenate([np.sort(distances[:, pair == kind], axis=1) for kind in np.unique(pair)], axis=1)


def _near(a: Frames, rows: IntArray, b: Frames, others: IntArray, tolerance: float) -> IntArray:
    """Return which of the rows of `a` agree with some of those of `b` in every distance."""
    hits = [
        bool(near) and bool(_coincide(a, rows[i], b, others[near], tolerance).any())
        for i, near in enumerate(_candidates(a, rows, b, others, tolerance))
    ]
    return np.flatnonzero(hits)


def _candidates(a: Frames, rows: IntArray, b: Frames, others: IntArray, tolerance: float) -> list[list[int]]:
    """Return for each of the rows of `a` which of the `others`, rows of `b`, may agree with it.

    Frames that agree in all distances agree in any few of them: a tree of `PROBES` gives all candidates, and
    those alone are compared, so that memory grows with the frames, not with their pairs of atoms.
    """
    from scipy.spatial import cKDTree

    reach = tolerance * (1 + 1e-9) + 1e-12
    there = _probes(b, others)
    here = there if a is b and rows is others else _probes(a, rows)
    found: list[list[int]] = cKDTree(there).query_ball_point(here, reach, p=np.inf).tolist()
    return found


def _coincide(a: Frames, row: int, b: Frames, others: IntArray, tolerance: float) -> BoolArray:
    """Return which of the `others`, rows of `b`, agree with a row of `a` in every distance."""
    mine = _sorted(a, np.array([row]))
    return np.concatenate(
        [np.abs(_sorted(b, part) - mine).max(axis=1) <= tolerance for part in _parts(b, others)]
    )


def _require_comparable(tolerance: float, *several: Frames) -> None:
    if not tolerance >= 0:
        raise UsageError(f"tolerance must be a length ≥ 0 in Å, got {tolerance}")
    if not all(np.isfinite(frames.positions).all() for frames in several):
        raise UsageError("leaks() needs finite positions; drop the frames that check() names first")


def _probes(frames: Frames, rows: IntArray) -> FloatArray:
    """Return (n, PROBES) of the sorted distances of frames."""
    blocks = []
    for part in _parts(frames, rows):
        distances = _sorted(frames, part)
        chosen = np.unique(np.linspace(0, distances.shape[1] - 1, PROBES).astype(int))
        blocks.append(distances[:, chosen])
    return np.concatenate(blocks)


def _parts(frames: Frames, rows: IntArray) -> Iterator[IntArray]:
    """Yield the rows in parts of at most `CHUNK` distances, at least one row each."""
    if len(rows):
        size = int(frames.offsets[rows[0] + 1] - frames.offsets[rows[0]])
        step = max(1, 2 * CHUNK // max(1, size * (size - 1)))
        yield from (rows[start : start + step] for start in range(0, len(rows), step))
