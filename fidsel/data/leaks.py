"""Audit of a split: configurations on both sides, and neighbours in time across it."""

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from fidsel.data.frames import FloatArray, Frames, IntArray, StrArray
from fidsel.errors import UsageError

CHUNK = 4096
"""Frames whose distances are computed at once."""

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
    if not tolerance >= 0:
        raise UsageError(f"tolerance must be a length ≥ 0 in Å, got {tolerance}")
    if not (np.isfinite(a.positions).all() and np.isfinite(b.positions).all()):
        raise UsageError("leaks() needs finite positions; drop the frames that check() names first")
    there = _by_kind(b)
    found = [
        rows[_near(_distances(a, rows), _distances(b, there[kind]), tolerance)]
        for kind, rows in _by_kind(a).items()
        if kind in there
    ]
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *found]))


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
    rows: dict[bytes, list[int]] = {}
    cells = np.rint(frames.cell * 1e3).astype(np.int64)
    for i, (start, stop) in enumerate(pairwise(frames.offsets)):
        settings = (frames.charge[i : i + 1], frames.spin[i : i + 1], frames.pbc[i], cells[i].ravel())
        rows.setdefault(
            np.concatenate([*settings, np.sort(frames.numbers[start:stop])]).tobytes(), []
        ).append(i)
    return {kind: np.array(members, dtype=np.int64) for kind, members in rows.items()}


def _distances(frames: Frames, rows: IntArray) -> FloatArray:
    """Return (n, pairs) distances of frames of one kind, sorted within each pair of elements."""
    return np.concatenate([_sorted(frames, rows[i : i + CHUNK]) for i in range(0, len(rows), CHUNK)])


def _sorted(frames: Frames, rows: IntArray) -> FloatArray:
    size = frames.offsets[rows[0] + 1] - frames.offsets[rows[0]]
    if size == 1:
        return np.zeros((len(rows), 1))
    atoms = frames.offsets[rows][:, None] + np.arange(size)
    atoms = np.take_along_axis(atoms, np.argsort(frames.numbers[atoms], axis=1, kind="stable"), axis=1)
    elements, xyz = frames.numbers[atoms[0]], frames.positions[atoms]
    i, j = np.triu_indices(size, 1)
    distances = np.linalg.norm(xyz[:, i] - xyz[:, j], axis=2)
    pair = elements[i] * (elements.max() + 1) + elements[j]
    return np.concatenate([np.sort(distances[:, pair == kind], axis=1) for kind in np.unique(pair)], axis=1)


def _near(a: FloatArray, b: FloatArray, tolerance: float) -> IntArray:
    """Return the rows of `a` (n, d) that agree with some row of `b` (m, d) in every component.

    Rows that agree in all components agree in any few of them: a tree of `PROBES` columns gives all
    candidates.
    """
    probes = np.unique(np.linspace(0, a.shape[1] - 1, PROBES).astype(int))
    candidates = cKDTree(b[:, probes]).query_ball_point(
        a[:, probes], tolerance * (1 + 1e-9) + 1e-12, p=np.inf
    )
    hits = [
        bool(rows) and (np.abs(b[rows] - a[i]).max(axis=1) <= tolerance).any()
        for i, rows in enumerate(candidates)
    ]
    return np.flatnonzero(hits)
