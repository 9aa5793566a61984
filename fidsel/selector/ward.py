"""Ward clusters of feature rows, and joining further rows to existing clusters in bounded memory."""

from typing import Literal

import numpy as np

from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError, unknown

Assignment = Literal["average", "max"]
"""A row joins the cluster whose members have the smallest average, or smallest largest, distance."""

CHUNK = 1 << 22
"""Distances held at once (32 MiB)."""


def ward(features: FloatArray, n_clusters: int) -> IntArray:
    """Return the cluster of each row, (n,), from Ward's agglomerative clustering.

    Exactly min(n_clusters, n) clusters, numbered by falling population. Takes O(n²) time and
    8 n² bytes at its peak (3.2 GB for 20 000 rows): give it a subset and `join` the rest.

    References
    ----------
    J. H. Ward, J. Am. Stat. Assoc. 58, 236 (1963), doi:10.1080/01621459.1963.10500845.
    """
    from scipy.cluster.hierarchy import linkage

    n = len(features)
    if n_clusters < 1:
        raise UsageError(f"n_clusters must be ≥ 1, got {n_clusters}")
    if n <= n_clusters:
        return np.arange(n)
    merges = linkage(features, method="ward")[: n - n_clusters, :2].astype(np.int64)
    parent = np.arange(n + len(merges))
    parent[merges] = np.arange(n, n + len(merges))[:, None]
    while (parent != (above := parent[parent])).any():
        parent = above
    return by_population(parent[:n])


def by_population(labels: IntArray) -> IntArray:
    """Return labels renumbered 0, 1, ... by falling population; ties by first appearance.

    >>> by_population(np.array([7, 3, 3, 9])).tolist()
    [1, 0, 0, 2]
    """
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(counts))
    return np.asarray(rank[inverse])


def join(features: FloatArray, members: FloatArray, labels: IntArray, assignment: Assignment) -> IntArray:
    """Return the cluster each row joins, (n,); ties go to the lower number.

    Parameters
    ----------
    features : (n, d) rows to place.
    members : (m, d) rows whose cluster is known; distances to all of them are taken, in chunks.
    labels : (m,) their clusters, 0 .. k − 1, each used.
    assignment : "average" (Fonseca et al. 2021) or "max" (their released code).
    """
    from scipy.spatial.distance import cdist

    if assignment not in ("average", "max"):
        raise unknown("assignment", assignment, ["average", "max"])
    order = np.argsort(labels, kind="stable")
    members, sizes = members[order], np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    out = np.empty(len(features), dtype=np.int64)
    step = max(1, CHUNK // len(members))
    for start in range(0, len(features), step):
        distances = cdist(features[start : start + step], members)
        if assignment == "average":
            reached = np.add.reduceat(distances, starts, axis=1) / sizes
        else:
            reached = np.maximum.reduceat(distances, starts, axis=1)
        out[start : start + step] = reached.argmin(axis=1)
    return out


def ward_join(
    features: FloatArray, n_clusters: int, subset: int, assignment: Assignment, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Return clusters (n,) from Ward on a random subset the other rows join, and the subset's rows."""
    if not np.isfinite(features).all():
        raise UsageError("features must be finite numbers; leave out the frames whose features are not")
    if subset < 1:
        raise UsageError(f"subset must be ≥ 1, got {subset}")
    n = len(features)
    rows = np.arange(n) if n <= subset else np.sort(rng.choice(n, subset, replace=False))
    known = ward(features[rows], n_clusters)
    labels = np.full(n, -1, dtype=np.int64)
    labels[rows] = known
    others = labels < 0
    if others.any():
        labels[others] = join(features[others], features[rows], known, assignment)
    return labels, rows


def fine_clusters(
    features: FloatArray,
    n_clusters: int = 200,
    *,
    subset: int = 20000,
    assignment: Assignment = "average",
    seed: int | np.random.Generator = 0,
) -> IntArray:
    """Return the fine Ward cluster of each row, (n,), numbered by falling population.

    Parameters
    ----------
    features : (n, d).
    n_clusters : fewer where there are fewer rows.
    subset : rows clustered by Ward itself; the others join by `assignment`.
    seed : draws the subset; unused where all rows fit.

    Examples
    --------
    >>> fine_clusters(np.array([[0.0], [0.1], [5.0]]), 2).tolist()
    [0, 0, 1]
    """
    if len(features) == 0:
        return np.empty(0, dtype=np.int64)
    labels, _ = ward_join(features, n_clusters, subset, assignment, np.random.default_rng(seed))
    return by_population(labels)
