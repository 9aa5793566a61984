"""Sharing a number of frames among groups in proportion."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray


def in_proportion(total: int, shares: FloatArray, limits: IntArray) -> IntArray:
    """Return whole numbers in proportion to `shares` that sum to `total`, none above its limit.

    Largest remainder (Hamilton): each group gets the whole part of its quota, the rest goes to the
    largest remainders; what a limit cuts off is shared again among the others. Groups without a
    share get something only when all others are full. Ties go to the first group.

    Parameters
    ----------
    total : at most the sum of the limits.
    shares : (k,) ≥ 0.
    limits : (k,) members of each group.

    Examples
    --------
    >>> in_proportion(10, np.array([5.0, 3.0, 1.0]), np.array([9, 9, 9])).tolist()
    [6, 3, 1]
    >>> in_proportion(10, np.array([5.0, 3.0, 1.0]), np.array([2, 9, 9])).tolist()
    [2, 6, 2]
    """
    given = np.zeros(len(limits), dtype=np.int64)
    while (left := total - int(given.sum())) > 0:
        room = limits - given
        weight = np.where(room > 0, shares, 0.0)
        if not weight.any():
            weight = room.astype(np.float64)
        quota = left * (weight / weight.sum())
        extra = np.minimum(np.floor(quota).astype(np.int64), room)
        rest = np.where(room > extra, quota - np.floor(quota), -1.0)
        rest[weight == 0] = -1.0
        if (np.floor(quota) <= room).all():
            order = np.argsort(-rest, kind="stable")[: left - int(extra.sum())]
            extra[order[rest[order] >= 0]] += 1
        given += extra
    return given
