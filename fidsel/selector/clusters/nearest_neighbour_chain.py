"""Ward's clustering of weighted points by nearest-neighbour chains: O(m²) time, O(m) memory."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.clusters.tree import MergeTree


def ward_tree(centroids: FloatArray, weights: FloatArray | IntArray | None = None) -> MergeTree:
    """Return the tree of Ward's agglomerative clustering of some weighted points.

    The same as merging, again and again, the two clusters of all with the smallest cost
    |A||B|/(|A| + |B|)·|c_A − c_B|². A chain runs from any cluster to its nearest one, from there to the
    nearest of that, until two are each other's nearest: these merge in any case, since Ward's cost never
    falls by a merger elsewhere. Needs the centroids only, no matrix of distances.

    Parameters
    ----------
    centroids : (m, d), m ≥ 1.
    weights : (m,) positive, e.g. the frames each point stands for; None = equal.

    References
    ----------
    F. Murtagh, Comput. J. 26, 354 (1983), doi:10.1093/comjnl/26.4.354.

    Examples
    --------
    >>> tree = ward_tree(np.array([[0.0], [1.0], [5.0]]))
    >>> tree.merges.tolist(), tree.heights.round(3).tolist()
    ([[0, 1], [2, 3]], [0.5, 13.5])
    """
    m = len(centroids)
    weights = np.ones(m) if weights is None else np.asarray(weights, dtype=np.float64)
    if m == 0 or weights.shape != (m,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise UsageError(
            f"Ward needs at least one point and a positive weight for each of the {m}; got weights of "
            f"shape {weights.shape}: leave out points that stand for nothing"
        )
    chain = _Chain(np.array(centroids, dtype=np.float64), weights.copy())
    node, level = np.arange(m), np.zeros(m)
    merges, heights = np.empty((m - 1, 2), dtype=np.int64), np.empty(m - 1)
    for step in range(m - 1):
        a, b, cost = chain.nearest_pair()
        heights[step] = level[b] = max(cost, level[a], level[b])  # rounding could put a parent below
        merges[step] = sorted((node[a], node[b]))
        chain.merge(a, b)
        node[b] = m + step
    order = np.argsort(heights, kind="stable")
    number = np.arange(2 * m - 1)
    number[m + order] = m + np.arange(m - 1)
    return MergeTree(np.sort(number[merges[order]], axis=1), heights[order])


class _Chain:
    """The clusters that are left, and the chain of nearest neighbours among them.

    Parameters
    ----------
    centers : (m, d), written to.
    sizes : (m,), written to; 0 = merged into another.
    """

    def __init__(self, centers: FloatArray, sizes: FloatArray) -> None:
        self.centers, self.sizes = centers, sizes
        self.links: list[int] = []
        self.reach: list[float] = []  # cost of merging each of the chain with the one before it

    def nearest_pair(self) -> tuple[int, int, float]:
        """Return two clusters that are each other's nearest, taken off the chain, and their cost."""
        if not self.links:
            self.links, self.reach = [int(self.sizes.argmax())], [np.inf]
        while True:
            costs = self._costs(self.links[-1])
            near = int(costs.argmin())
            if costs[near] >= self.reach[-1]:
                a, cost = self.links.pop(), self.reach.pop()
                b, _ = self.links.pop(), self.reach.pop()
                return a, b, cost
            self.links.append(near)
            self.reach.append(float(costs[near]))

    def merge(self, a: int, b: int) -> None:
        """Put cluster a into b."""
        total = self.sizes[a] + self.sizes[b]
        self.centers[b] += (self.centers[a] - self.centers[b]) * (self.sizes[a] / total)
        self.sizes[a], self.sizes[b] = 0.0, total

    def _costs(self, a: int) -> FloatArray:
        """Return what merging a with each cluster costs, (m,); infinite for itself and those gone."""
        gaps = self.centers - self.centers[a]
        costs = np.einsum("ij,ij->i", gaps, gaps)
        costs *= self.sizes[a] * self.sizes / (self.sizes[a] + self.sizes)
        costs[self.sizes == 0] = np.inf
        costs[a] = np.inf
        return np.asarray(costs)
