"""k-means clusters: a few thousand weighted points that stand for every frame, in O(n) memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError

if TYPE_CHECKING:
    import torch

CHUNK = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Distances held at once (4 and 256 MiB); on a processor they stay near it, and threads rarely wait."""

ROUNDS = 5
"""Portions in which the first centroids are drawn."""

ROUNDING = 1e-5
"""Squared distances in float32 are right to this fraction of the squared lengths."""

CONVERGED = 0.005
"""Lloyd stops where the sum of squares falls by less than this fraction."""


@dataclass(frozen=True, eq=False)
class KMeansClusters:
    """Groups of near frames.

    ========= ======= =======================================================
    field     shape   meaning
    ========= ======= =======================================================
    centroids (k, d)  distinct; not exactly the means of the last assignment
    labels    (n,)    nearest centroid of each row
    weights   (k,)    rows of each, ≥ 1
    ========= ======= =======================================================
    """

    centroids: FloatArray
    labels: IntArray
    weights: IntArray


def kmeans_clusters(
    features: FloatArray, k: int, rng: np.random.Generator, *, iterations: int = 4, device: str | None = None
) -> KMeansClusters:
    """Return at most `k` clusters of all rows by k-means.

    The first centroids are rows drawn in 5 portions, the first evenly, the others with a probability
    proportional to the squared distance to those already drawn, so that rare and remote frames get
    theirs; then Lloyd's iterations over all rows. One iteration over 10⁶ × 36 features into 2000
    takes 5 s on one core; beyond the fourth, Ward clusters of the centroids no longer get tighter.

    The same seed gives the same clusters on the same machine; where a row lies halfway between two
    centroids, another device or number of threads can round it the other way.

    Parameters
    ----------
    features : (n, d) finite, n ≥ 1. Where n ≤ `k` each distinct row is a cluster of its own.
    iterations : most of Lloyd's.
    device : where distances are computed; None = the current CUDA device where there is one, whatever
        device a model is on: CUDA_VISIBLE_DEVICES hides devices from it.

    References
    ----------
    B. Bahmani et al., Proc. VLDB Endow. 5, 622 (2012), doi:10.14778/2180912.2180915: drawing in portions.
    """
    if k < 1 or iterations < 1:
        raise UsageError(f"clusters and iterations must be ≥ 1, got {k} and {iterations}")
    if len(features) <= k:
        centroids, labels = np.unique(features + 0.0, axis=0, return_inverse=True)
        return KMeansClusters(centroids, labels, np.bincount(labels))
    centroids, labels, squares = _start(features, k, rng, device)
    before = np.inf
    for _ in range(iterations):
        centroids = _means(features, labels, len(centroids))
        labels, squares = nearest_centroid(features, centroids, device)
        total = float(squares.sum())
        if not total < (1 - CONVERGED) * before:
            break
        before = total
    used, labels, weights = np.unique(labels, return_inverse=True, return_counts=True)
    return KMeansClusters(centroids[used], labels, weights)


def nearest_centroid(
    features: FloatArray, centroids: FloatArray, device: str | None = None
) -> tuple[IntArray, FloatArray]:
    """Return the nearest centroid of each row, (n,), and the squared distance to it, (n,).

    In float32; ties go to the lower number. A distance below 0.3 % of the row's own to the centroids'
    median is no more than rounding and becomes zero.

    Parameters
    ----------
    features : (n, d).
    centroids : (k, d).
    device : as in `kmeans_clusters`.
    """
    labels, squares = np.empty(len(features), dtype=np.int64), np.empty(len(features))
    start = 0
    for block, lengths in partial_squares(features, centroids, device):
        least, index = block.min(dim=1)
        least += lengths
        rows = slice(start, start := start + len(block))
        labels[rows] = index.cpu().numpy()
        squares[rows] = least.where(least > ROUNDING * lengths, 0).cpu().numpy()
    return labels, squares


def partial_squares(
    features: FloatArray, points: FloatArray, device: str | None = None
) -> "Iterator[tuple[torch.Tensor, torch.Tensor]]":
    """Yield |c|² − 2 x·c and |x|² of some rows x after the others and all points c, in float32.

    Their sum is the squared distance. x and c are taken about the points' median, so that the lengths are
    small and the sum keeps its digits.

    Parameters
    ----------
    features : (n, d).
    points : (k, d).
    device : as in `kmeans_clusters`.
    """
    import torch

    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    middle = np.median(points, axis=0)
    targets = torch.from_numpy((points - middle).astype(np.float32)).to(name)
    lengths = targets.square().sum(1)
    step = max(1, CHUNK.get(torch.device(name).type, CHUNK["cpu"]) // len(points))
    for start in range(0, len(features), step):
        rows = torch.from_numpy((features[start : start + step] - middle).astype(np.float32)).to(name)
        yield torch.addmm(lengths, rows, targets.T, alpha=-2), rows.square().sum(1)


def _start(
    features: FloatArray, k: int, rng: np.random.Generator, device: str | None
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return the first centroids, and as `nearest_centroid` the rows' places among them."""
    n = len(features)
    rows = rng.choice(n, -(-k // ROUNDS), replace=False)
    labels, squares = nearest_centroid(features, features[rows], device)
    for portion in range(1, ROUNDS):
        wanted = min((k - len(rows)) // (ROUNDS - portion), int(np.count_nonzero(squares)))
        if wanted == 0:
            break
        new = rng.choice(n, wanted, replace=False, p=squares / squares.sum())
        there, reach = nearest_centroid(features, features[new], device)
        closer = reach < squares
        labels[closer], squares[closer] = len(rows) + there[closer], reach[closer]
        rows = np.concatenate([rows, new])
    return features[rows], labels, squares


def _means(features: FloatArray, labels: IntArray, k: int) -> FloatArray:
    """Return the mean row of each cluster that has rows, in their order."""
    from scipy.sparse import csr_array

    n = len(features)
    member = csr_array((np.ones(n), labels, np.arange(n + 1)), shape=(n, k))
    counts = np.bincount(labels, minlength=k)
    used = counts > 0
    return np.asarray((member.T @ features)[used] / counts[used, None])
