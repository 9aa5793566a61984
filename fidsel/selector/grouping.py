"""Small clusters joined up a merge tree until each group has enough."""

from collections.abc import Callable
from functools import cache

import numpy as np

from fidsel.arrays import BoolArray, IntArray

Group = tuple[int, ...]


def groups_with_enough(
    merges: IntArray, counts: IntArray, enough: Callable[[Group], bool]
) -> tuple[Group, ...]:
    """Return disjoint groups of all clusters, each with enough where any union is.

    Up the tree, a group with too few joins the groups it meets first; of several there the one with the
    smallest count, so that a rare cluster which is unlike all others does not blur them all into one.

    Parameters
    ----------
    merges : (k − 1, 2) how the k clusters merge, as in `MergeTree`.
    counts : (k,) what is counted in each cluster.
    enough : whether a group has enough.

    Examples
    --------
    >>> import numpy as np
    >>> merges, counts = np.array([[0, 1], [2, 3], [4, 5]]), np.array([5, 25, 30, 40])
    >>> groups_with_enough(merges, counts, lambda group: counts[list(group)].sum() >= 20)
    ((0, 1), (2,), (3,))
    """
    enough = cache(enough)
    nodes: list[list[Group]] = [[(c,)] for c in range(len(merges) + 1)]
    for a, b in merges.tolist():
        nodes.append(_settled(nodes[a] + nodes[b], counts, enough))
    return tuple(sorted(nodes[-1]))


def joined(clusters: IntArray, counted: BoolArray, merges: IntArray, least: int) -> IntArray:
    """Return the clusters of frames, joined up a merge tree until each has so many counted frames.

    Parameters
    ----------
    clusters : (n,) 0 .. k − 1.
    counted : (n,) True for frames that count.
    merges : (k − 1, 2) as above.

    Examples
    --------
    >>> import numpy as np
    >>> merges, clusters = np.array([[0, 1], [2, 3]]), np.array([0, 0, 1, 1, 2, 2])
    >>> joined(clusters, np.array([1, 1, 1, 0, 1, 1], bool), merges, 2).tolist()
    [0, 0, 0, 0, 2, 2]
    """
    counts = np.bincount(clusters[counted], minlength=len(merges) + 1)
    found = np.empty_like(counts)
    for group in groups_with_enough(merges, counts, lambda group: bool(counts[list(group)].sum() >= least)):
        found[list(group)] = group[0]
    joined: IntArray = found[clusters]
    return joined


def _settled(groups: list[Group], counts: IntArray, enough: Callable[[Group], bool]) -> list[Group]:
    """Return the groups that meet in one place, those with too few joined to the smallest of the others."""
    while len(groups) > 1 and (few := [group for group in groups if not enough(group)]):
        others = [group for group in groups if group != few[0]]
        smallest = min(others, key=lambda group: (counts[list(group)].sum(), group))
        others.remove(smallest)
        groups = [*others, tuple(sorted(few[0] + smallest))]
    return groups
