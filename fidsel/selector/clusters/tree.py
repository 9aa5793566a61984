"""Trees of merged clusters: cut into fewer clusters, or walked upwards from small ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fidsel.arguments import Bound
from fidsel.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Which of m clusters merge, step by step up to one root.

    ======== ============ =============================================================
    field    shape        meaning
    ======== ============ =============================================================
    merges   (m − 1, 2)   clusters that step i merges into the new cluster number m + i
    heights  (m − 1,)     what step i costs, never falling
    ======== ============ =============================================================

    Ward's cost is the rise of the summed squared distances to the means, |A||B|/(|A| + |B|)·|c_A − c_B|².
    """

    merges: IntArray
    heights: FloatArray

    def __len__(self) -> int:
        return len(self.merges) + 1

    def cut(self, n_clusters: int) -> IntArray:
        """Return the cluster of each leaf, (m,), once `n_clusters` are left; numbers are by population."""
        return by_population(cut(self.merges, n_clusters))


def cut(merges: IntArray, n_clusters: int) -> IntArray:
    """Return (m,) a number of each leaf's cluster once at most `n_clusters` of the m are left.

    Parameters
    ----------
    merges : (m − 1, 2) as in `MergeTree`, the numbering of scipy's linkage.
    """
    Bound(ge=1).require("n_clusters", n_clusters, whole=True)
    leaves = len(merges) + 1
    done = merges[: max(0, leaves - n_clusters)]
    parent = np.arange(leaves + len(done))
    parent[done] = np.arange(leaves, leaves + len(done))[:, None]
    while (parent != (above := parent[parent])).any():
        parent = above
    return parent[:leaves]


def nested(groups: Sequence[MergeTree], above: MergeTree) -> IntArray:
    """Return the merges of all leaves, numbered group by group: first inside each group, then the groups.

    Parameters
    ----------
    groups : the trees inside.
    above : the tree of which each group is a leaf.

    Examples
    --------
    >>> pair = MergeTree(np.array([[0, 1]]), np.array([1.0]))
    >>> nested([pair, pair], pair).tolist()
    [[0, 1], [2, 3], [4, 5]]
    """
    leaves = sum(map(len, groups))
    merges: list[IntArray] = []
    tops, first = [], 0
    for group in groups:
        new = leaves + sum(map(len, merges)) + np.arange(len(group.merges))
        number = np.concatenate([first + np.arange(len(group)), new])
        merges.append(number[group.merges])
        tops.append(number[-1])
        first += len(group)
    number = np.concatenate([tops, leaves + sum(map(len, merges)) + np.arange(len(above.merges))])
    return np.concatenate([*merges, number[above.merges]]).reshape(-1, 2)


def by_population(labels: IntArray) -> IntArray:
    """Return labels renumbered 0, 1, ... by falling population; ties by first appearance.

    >>> by_population(np.array([7, 3, 3, 9])).tolist()
    [1, 0, 0, 2]
    """
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(counts))
    return np.asarray(rank[inverse])
