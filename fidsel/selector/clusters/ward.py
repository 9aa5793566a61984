"""Ward clusters of feature rows: exactly, on a subset, or over k-means clusters; and joining further rows."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fidsel.arguments import Bound
from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError, unknown
from fidsel.selector.clusters.join import join
from fidsel.selector.clusters.kmeans import kmeans_clusters
from fidsel.selector.clusters.nearest_neighbour_chain import ward_tree
from fidsel.selector.clusters.projection import Projection
from fidsel.selector.clusters.tree import by_population, cut

Method = Literal["auto", "subset", "kmeans"]
"""Ward on a random subset that the others join, or over k-means clusters of all rows."""

SUBSET = 20000
"""Rows clustered by Ward itself."""

N_KMEANS = 2000
"""K-means clusters of a larger pool."""


def ward(features: FloatArray, n_clusters: int) -> IntArray:
    """Return the cluster of each row, (n,), from Ward's agglomerative clustering.

    Exactly min(n_clusters, n) clusters, numbered by falling population. Takes O(n²) time and
    8 n² bytes at its peak (3.2 GB for 20 000 rows): give it a subset and `join` the rest.

    References
    ----------
    J. H. Ward, J. Am. Stat. Assoc. 58, 236 (1963), doi:10.1080/01621459.1963.10500845.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    n = len(features)
    Bound(ge=1).require("n_clusters", n_clusters, whole=True)
    if n <= n_clusters:
        return np.arange(n)
    return by_population(cut(linkage(pdist(features), method="ward")[:, :2].astype(np.int64), n_clusters))


@dataclass(frozen=True, eq=False)
class GeometryClusters:
    """Clusters of feature rows, and what further rows need to join them by `join`.

    ========= ======= =====================================================================
    field     shape   meaning
    ========= ======= =====================================================================
    labels    (n,)    cluster of each row, 0 .. k − 1
    reference (m, d)  the rows, or k-means centroids, that Ward itself clustered
    clusters  (m,)    their clusters
    weights   (m,)    rows that each of them stands for
    ========= ======= =====================================================================

    `method` is how they were made: "subset" or "kmeans".
    """

    labels: IntArray
    reference: FloatArray
    clusters: IntArray
    weights: IntArray
    method: Method


def geometry_clusters(
    features: FloatArray,
    n_clusters: int,
    rng: np.random.Generator,
    *,
    method: Method = "auto",
    subset: int = SUBSET,
    n_kmeans: int = N_KMEANS,
) -> GeometryClusters:
    """Return at most `n_clusters` Ward clusters of all rows, numbered by falling population.

    ======== ============================================================ ===========================
    method   clustered by Ward                                            joining by `join`
    ======== ============================================================ ===========================
    "subset" `subset` rows drawn at random                                the other rows
    "kmeans" `n_kmeans` centroids of all rows, weighted by their rows     all rows
    "auto"   "subset" where all rows fit it, else "kmeans"
    ======== ============================================================ ===========================

    With "kmeans" a row joins the clusters whose k-means centroids have the smallest average distance, each
    counted as often as it has rows: the published rule, on all rows instead of a subset. It also makes
    clusters tighter than Ward leaves them.

    Parameters
    ----------
    features : (n, d), n ≥ 1.
    """
    if not np.isfinite(features).all():
        raise UsageError("features must be finite numbers; leave out the frames whose features are not")
    if subset < 1 or n_kmeans < 1:
        raise UsageError(f"subset and n_kmeans must be ≥ 1, got {subset} and {n_kmeans}")
    if method not in get_args(Method):
        raise unknown("method", method, get_args(Method))
    if method == "subset" or (method == "auto" and len(features) <= subset):
        return _of_subset(features, n_clusters, rng, subset)
    return _of_kmeans(features, n_clusters, rng, n_kmeans)


def _of_subset(
    features: FloatArray, n_clusters: int, rng: np.random.Generator, subset: int
) -> GeometryClusters:
    n = len(features)
    rows = np.arange(n) if n <= subset else np.sort(rng.choice(n, subset, replace=False))
    known = ward(features[rows], n_clusters)
    labels = np.full(n, -1, dtype=np.int64)
    labels[rows] = known
    others = labels < 0
    if others.any():
        labels[others] = join(features[others], features[rows], known)
    weights = np.ones(len(rows), dtype=np.int64)
    return GeometryClusters(labels, features[rows], known, weights, "subset")


def _of_kmeans(
    features: FloatArray, n_clusters: int, rng: np.random.Generator, n_kmeans: int
) -> GeometryClusters:
    found = kmeans_clusters(features, n_kmeans, rng)
    clusters = by_population(cut(ward_tree(found.centroids, found.weights).merges, n_clusters))
    joined = join(features, found.centroids, clusters, found.weights)
    kept = np.isin(clusters, joined)  # a cluster of strays can lose all its rows to a denser one
    _, first = np.unique(joined, return_index=True)
    number = np.empty(clusters.max() + 1, dtype=np.int64)
    labels = by_population(joined)
    number[joined[first]] = labels[first]
    return GeometryClusters(
        labels, found.centroids[kept], number[clusters[kept]], found.weights[kept], "kmeans"
    )


def fine_clusters(
    features: FloatArray,
    n_clusters: int = 200,
    *,
    subset: int = SUBSET,
    seed: int | np.random.Generator = 0,
) -> IntArray:
    """Return the fine Ward cluster of each row, (n,), numbered by falling population.

    Parameters
    ----------
    features : (n, d); more than 500 are projected (`Projection.above`).
    n_clusters : fewer where there are fewer rows.
    subset : rows clustered by Ward itself; larger pools by k-means clusters, at least ten for each cluster.
    seed : draws the subset, or the k-means clusters; unused where all rows fit.

    Examples
    --------
    >>> fine_clusters(np.array([[0.0], [0.1], [5.0]]), 2).tolist()
    [0, 0, 1]
    """
    if len(features) == 0:
        return np.empty(0, dtype=np.int64)
    projection = Projection.above(features)
    features = features if projection is None else projection(features)
    found = geometry_clusters(
        features, n_clusters, np.random.default_rng(seed), subset=subset,
        n_kmeans=max(N_KMEANS, 10 * n_clusters),
    )  # fmt: skip
    return by_population(found.labels)
