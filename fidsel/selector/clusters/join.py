"""How rows join existing clusters, in bounded memory."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import unknown
from fidsel.selector.clusters.kmeans import nearest_centroid, partial_squares

Assignment = Literal["average", "max", "nearest"]
"""A row joins the cluster whose members have the smallest average, or smallest largest, distance; or the
cluster of the nearest member of all."""

CHUNK = 1 << 22
"""Distances held at once (32 MiB)."""


def join(
    features: FloatArray,
    members: FloatArray,
    labels: IntArray,
    assignment: Assignment,
    weights: IntArray | None = None,
) -> IntArray:
    """Return the cluster each row joins, (n,); ties go to the lower number.

    Parameters
    ----------
    features : (n, d) rows to place.
    members : (m, d) rows whose cluster is known; distances to all of them are taken, in chunks.
    labels : (m,) their clusters, 0 .. k − 1, each used.
    assignment : "average" (Fonseca et al. 2021), "max" (their released code), or "nearest".
    weights : (m,) positive, how often each member counts in an average. With weights, members are many and
        approximate (k-means centroids): distances are then float32 and from a GPU where there is one.
    """
    if assignment not in get_args(Assignment):
        raise unknown("assignment", assignment, get_args(Assignment))
    if assignment == "nearest":
        return np.asarray(labels[nearest_centroid(features, members)[0]])
    order, sizes = np.argsort(labels, kind="stable"), np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    parts = [np.empty(0, dtype=np.int64)]
    if weights is None:
        blocks = _exact(features, members[order])
        parts += [_reached(distances, starts, sizes, assignment) for distances in blocks]
    else:
        share, total = weights[order].astype(np.float32), np.bincount(labels, weights)
        for distances in _fast(features, members[order]):
            if assignment == "average":
                np.multiply(distances, share, out=distances)
            parts.append(_reached(distances, starts, total, assignment))
    return np.concatenate(parts)


def _reached(
    distances: FloatArray, starts: IntArray, total: FloatArray | IntArray, assignment: Assignment
) -> IntArray:
    if assignment == "average":
        reached = np.add.reduceat(distances, starts, axis=1) / total
    else:
        reached = np.maximum.reduceat(distances, starts, axis=1)
    return np.asarray(reached.argmin(axis=1))


def _exact(features: FloatArray, members: FloatArray) -> Iterator[FloatArray]:
    """Yield the distances of some rows after the others to all members."""
    from scipy.spatial.distance import cdist

    step = max(1, CHUNK // len(members))
    for start in range(0, len(features), step):
        yield cdist(features[start : start + step], members)


def _fast(features: FloatArray, members: FloatArray) -> Iterator[FloatArray]:
    """Yield the same in float32."""
    for squares, lengths in partial_squares(features, members):
        yield squares.add_(lengths[:, None]).clamp_(min=0).sqrt_().cpu().numpy()
