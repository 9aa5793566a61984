"""Energies far from all others: labels that went wrong must not decide an energy constant."""

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray

FAR = 10.0
"""Standard deviations, as the median tells them, beyond which an energy is far from the others."""
LEAST = 0.05
"""eV; energies nearer than this to the median count, however much alike the others are."""
FEWEST = 8
"""Frames of one composition among which one can be told from the others."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""


def far_out(energies: FloatArray, groups: IntArray | None = None) -> BoolArray:
    """Return which energies are far from the median of their group, (n,).

    One wrong label of 10⁴ eV among 40 moves their mean by 250 eV, and the median not at all. The scale is
    the median absolute deviation of all, or of the group where that is larger, so up to half of them may be
    wrong, and a flexible molecule is not judged by rigid ones that are more frequent.

    Parameters
    ----------
    energies : (n,) eV, finite: what is left of them once a model or nothing is taken off.
    groups : (n,) small integers, of frames that compare; None = all do. Groups of fewer than `FEWEST` have
        none that is far out.

    Examples
    --------
    >>> far_out(np.array([0.1, -0.1, 0.0, 0.2, 0.0, 0.1, -0.2, 250.0])).tolist()
    [False, False, False, False, False, False, False, True]
    """
    groups = np.zeros(len(energies), dtype=np.int64) if groups is None else groups
    judged = np.bincount(groups)[groups] >= FEWEST
    apart, own = np.zeros(len(energies)), np.zeros(len(energies))
    for group in np.unique(groups[judged]):
        here = groups == group
        middle = np.sort(energies[here])[(here.sum() - 1) // 2]  # one of them, so that no group is far out
        apart[here] = np.abs(energies[here] - middle)
        own[here] = np.median(apart[here]) * (1 + FEWEST / here.sum())  # of few it is often too small
    if not judged.any():
        return judged
    usual = np.maximum(own, np.median(apart[judged]))
    found: BoolArray = judged & (apart > np.maximum(LEAST, FAR * NORMAL * usual))
    return found
