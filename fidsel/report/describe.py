"""What is in each cluster: size, error, energies, the distances that mark it, two of its frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray, StrArray
from fidsel.data import Frames
from fidsel.data.formats.elements import atoms_label
from fidsel.exceptions import UsageError
from fidsel.report.content import ClusterDescription, ClusterTable, Energies, Mark, Structure
from fidsel.selector.cluster_error import cluster_errors
from fidsel.selector.descriptors.distances import LARGE, pair_distances

CHUNK = 1 << 21
"""Features held at once (16 MiB)."""
STILL = 1e-3
"""Å: a distance that varies less elsewhere counts as varying by this much."""


def describe_clusters(
    frames: Frames,
    clusters: IntArray,
    frame_errors: FloatArray,
    energies: FloatArray | None = None,
    *,
    features: FloatArray | None = None,
    weights: FloatArray | None = None,
    rows: IntArray | None = None,
    molecules: Sequence[str] | None = None,
    marks: int = 3,
) -> ClusterTable:
    """Return what is in each cluster of some frames and what marks it.

    A distance r marks a cluster by its shift (⟨r⟩_cluster − ⟨r⟩_rest) / s_rest, s a standard deviation.
    Time is O(frames × pairs); memory does not grow with the frames.

    Parameters
    ----------
    frames : (n) configurations. Where they are not all of the same atoms there are no distances, and
        no energies, as those of different compositions do not compare; the notes say so.
    clusters : (n,) cluster of each.
    frame_errors : (n,) error of each, NaN = unknown.
    energies : (n,) eV at one level, NaN = unknown; None = those of the frames.
    features : (n, d) whose centroids choose the representative frames; None = all pair distances.
    weights : (n,) of the frames in the clusters' RMSE, e.g. atoms per frame; None = equal.
    rows : (n,) by which a reader finds the frames again; None = their places here.
    molecules : (n) name of the molecule of each; None = their formulas.
    marks : distances kept for each cluster.

    Examples
    --------
    >>> atoms = [[[0, 0, 0], [r, 0, 0]] for r in (1.0, 1.1, 1.2, 2.0)]
    >>> table = describe_clusters(
    ...     Frames.stack([1, 8], atoms), np.array([0, 0, 0, 1]), np.array([0.1, 0.1, 0.2, 0.6])
    ... )
    >>> row = table.rows[0]
    >>> row.cluster, row.marks[0].label, row.marks[0].mean, round(row.marks[0].elsewhere, 3)
    (1, 'H0–O1', 2.0, 1.1)
    """
    energies = frames.energy if energies is None else np.asarray(energies, dtype=np.float64)
    errors = np.asarray(frame_errors, dtype=np.float64)
    rows = np.arange(len(frames)) if rows is None else rows
    _require(frames, clusters=clusters, frame_errors=errors, energies=energies, features=features, rows=rows)
    names, group = np.unique(clusters, return_inverse=True)
    alike = _same_atoms(frames)
    energies, notes = (energies, ()) if alike else _incomparable(frames, energies)
    size = int(frames.offsets[1])
    few = size * (size - 1) // 2 <= LARGE
    if alike and not few:
        notes = (*notes, f"the frames have {size} atoms, so single distances do not mark their clusters")
    moments = _Moments.of(_distances(frames), group) if alike and few and size > 1 else None
    near: list[int | None] = [None] * len(names)
    if features is not None:
        near = _nearest(_rows_of(features), group, _Moments.of(_rows_of(features), group).mean)
    elif moments is not None:
        near = _nearest(_distances(frames), group, moments.mean)
    kinds = np.array(frames.formulas if molecules is None else molecules, dtype=np.str_)
    known = np.isfinite(errors)
    total = cluster_errors(group, errors, weights) if known.any() else None
    found = []
    for c, name in enumerate(names.tolist()):
        inside = group == c
        told = _marks(moments, c, frames.numbers[: frames.offsets[1]], marks) if moments else ()
        shown = [
            None if i is None else Structure(int(rows[i]), frames[i], float(errors[i]), float(energies[i]))
            for i in (near[c], _largest(errors, inside))
        ]
        size, measured = int(inside.sum()), int((inside & known).sum())
        rmse = total.rmse_of(c) if total else np.nan
        spread = _energies(energies, inside)
        counts, others = _counted(kinds, inside), len(frames) - size
        row = ClusterDescription(name, size, others, rmse, measured, spread, told, shown[0], shown[1], counts)
        found.append(row)
    found.sort(key=lambda row: (-row.rmse if row.measured else np.inf, row.cluster))
    lowest = np.min(energies, where=np.isfinite(energies), initial=np.inf)
    return ClusterTable(
        tuple(found), total.overall if total else np.nan, float(lowest) if lowest < np.inf else np.nan, notes
    )


def _counted(kinds: StrArray, inside: BoolArray) -> tuple[tuple[str, int], ...]:
    """Return the kinds of frames inside, most frequent first; none where all frames are of one kind."""
    if (kinds == kinds[0]).all():
        return ()
    names, counts = np.unique(kinds[inside], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple((str(names[i]), int(counts[i])) for i in order)


def _require(frames: Frames, **arrays: FloatArray | IntArray | None) -> None:
    if len(frames) == 0:
        raise UsageError("there are no frames to describe clusters of")
    for name, array in arrays.items():
        if array is not None and len(array) != len(frames):
            raise UsageError(f"{name} must have one entry per frame ({len(frames)}), got {len(array)}")


def _same_atoms(frames: Frames) -> bool:
    sizes = frames.sizes
    return bool(
        (sizes == sizes[0]).all()
        and (frames.numbers.reshape(len(frames), -1) == frames.numbers[: sizes[0]]).all()
    )


def _incomparable(frames: Frames, energies: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the energies that compare between frames of different atoms, and what to say of it."""
    kinds = len(set(frames.formulas))
    if kinds == 1:
        note = (
            "the atoms of the frames come in different orders, so distances do not compare between them: "
            "write all frames in one order"
        )
        return energies, (note,)
    note = (
        f"the frames are of {kinds} compositions, so neither distances nor energies compare between "
        "them: for what marks a cluster look at one molecule at a time"
    )
    return np.full(len(frames), np.nan), (note,)


def _distances(frames: Frames) -> Iterator[FloatArray]:
    """Give the pair distances of all frames, some frames at a time."""
    size = int(frames.offsets[1])
    for rows in _pieces(len(frames), size * (size - 1) // 2):
        yield pair_distances(frames[rows])


def _rows_of(features: FloatArray) -> Iterator[FloatArray]:
    for rows in _pieces(len(features), features.shape[1]):
        yield np.asarray(features[rows], dtype=np.float64)


def _pieces(n: int, width: int) -> Iterator[slice]:
    step = max(1, CHUNK // max(1, width))
    return (slice(start, start + step) for start in range(0, n, step))


@dataclass(frozen=True, eq=False)
class _Moments:
    """Mean and standard deviation of features, for the frames of each cluster and for all others."""

    origin: FloatArray
    count: IntArray
    sums: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, blocks: Iterator[FloatArray], group: IntArray) -> Self:
        """Return the moments of features that come in blocks of rows."""
        count, done = np.bincount(group), 0
        origin, sums, squares = np.empty(0), np.empty((0, 0)), np.empty((0, 0))
        for block in blocks:
            if done == 0:  # sums of differences to a frame keep the digits of small spreads
                origin = block[0]
                sums, squares = np.zeros((2, len(count), len(origin)))
            here, first = np.unique(np.sort(group[done : done + len(block)]), return_index=True)
            ordered = (block - origin)[np.argsort(group[done : done + len(block)], kind="stable")]
            sums[here] += np.add.reduceat(ordered, first)
            squares[here] += np.add.reduceat(ordered**2, first)
            done += len(block)
        return cls(origin, count, sums, squares)

    @property
    def mean(self) -> FloatArray:
        """(k, d) mean of each cluster."""
        return np.asarray(self.origin + self.sums / self.count[:, None])

    def inside(self, c: int) -> tuple[FloatArray, FloatArray]:
        """Return (d,) mean and standard deviation of a cluster."""
        return self._pair(self.sums[c], self.squares[c], self.count[c])

    def outside(self, c: int) -> tuple[FloatArray, FloatArray]:
        """Return the same of all other frames, of which there must be some."""
        sums, squares = self.sums.sum(axis=0) - self.sums[c], self.squares.sum(axis=0) - self.squares[c]
        return self._pair(sums, squares, self.count.sum() - self.count[c])

    def _pair(self, sums: FloatArray, squares: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
        mean = sums / n
        return self.origin + mean, np.sqrt(np.maximum(squares / n - mean**2, 0.0))


def _marks(moments: _Moments, c: int, numbers: IntArray, most: int) -> tuple[Mark, ...]:
    """Return the distances of a cluster that are furthest from those of all other frames."""
    if len(moments.count) == 1:
        return ()
    (mean, spread), (rest, scatter) = moments.inside(c), moments.outside(c)
    shift = (mean - rest) / np.maximum(scatter, STILL)
    pairs = np.stack(np.triu_indices(len(numbers), k=1), axis=1)
    return tuple(
        Mark(
            (int(i), int(j)), atoms_label(numbers, i, j), float(mean[p]),
            float(spread[p]), float(rest[p]), float(scatter[p]), float(shift[p]),
        )
        for p in np.argsort(-np.abs(shift), kind="stable")[:most]
        for i, j in [pairs[p]]
    )  # fmt: skip


def _nearest(blocks: Iterator[FloatArray], group: IntArray, centroids: FloatArray) -> list[int | None]:
    """Return the row nearest to the centroid of its cluster, for each cluster."""
    distance, done = np.empty(len(group)), 0
    for block in blocks:
        rows = slice(done, done + len(block))
        distance[rows] = ((block - centroids[group[rows]]) ** 2).sum(axis=1)
        done += len(block)
    order = np.lexsort((distance, group))
    first: list[int | None] = order[np.searchsorted(group[order], np.arange(len(centroids)))].tolist()
    return first


def _largest(errors: FloatArray, inside: BoolArray) -> int | None:
    rows = np.flatnonzero(inside & np.isfinite(errors))
    return int(rows[errors[rows].argmax()]) if len(rows) else None


def _energies(energies: FloatArray, inside: BoolArray) -> Energies | None:
    known = np.isfinite(energies)
    own, others = energies[inside & known], energies[~inside & known]
    if len(own) == 0:
        return None
    median = float(np.median(own))
    rank = float((others < median).mean()) if len(others) else np.nan
    return Energies(float(own.min()), median, float(own.max()), rank)
