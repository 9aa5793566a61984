"""How rows join existing clusters, in bounded memory."""

from collections.abc import Iterator

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.clusters.kmeans import partial_squares

CHUNK = 1 << 22
"""Distances held at once (32 MiB)."""


def join(
    features: FloatArray, members: FloatArray, labels: IntArray, weights: IntArray | None = None
) -> IntArray:
    """Return the cluster whose members have the smallest average distance from each row, (n,).

    The rule of Fonseca et al. 2021. Ties go to the lower number.

    Parameters
    ----------
    features : (n, d) rows to place.
    members : (m, d) rows whose cluster is known; distances to all of them are taken, in chunks.
    labels : (m,) their clusters, 0 .. k − 1, each used.
    weights : (m,) positive, how often each member counts in an average. With weights, members are many and
        approximate (k-means centroids): distances are then float32 and from a GPU where there is one.
    """
    order, sizes = np.argsort(labels, kind="stable"), np.bincount(labels, weights)
    starts = np.searchsorted(labels[order], np.arange(len(sizes)))
    distances = _exact(features, members[order])
    if weights is not None:
        share = weights[order].astype(np.float32)
        distances = (np.multiply(block, share, out=block) for block in _fast(features, members[order]))
    joined = [(np.add.reduceat(block, starts, axis=1) / sizes).argmin(axis=1) for block in distances]
    return np.concatenate([np.empty(0, dtype=np.int64), *joined])


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
