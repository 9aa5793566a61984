"""Fine clusters of a problem set, ranked by error."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.pool import Pool


@dataclass(frozen=True, eq=False)
class FineGrid:
    """Fine clusters of a problem set of m frames; k clusters."""

    fine: IntArray
    """(m,) fine cluster of each frame."""
    errors: FloatArray
    """(m,) eV/Å."""
    distances: FloatArray
    """(m,) distance of each frame to the centroid of its fine cluster."""
    rmse: FloatArray
    """(k,) eV/Å."""
    size: IntArray
    """(k,) frames."""
    rank: IntArray
    """(k,) place of each cluster by falling RMSE."""

    @classmethod
    def of(cls, pool: Pool, problem: IntArray, fine: IntArray) -> Self:
        """Return the fine clusters `fine` (m,) of the pool's rows `problem` (m,)."""
        errors, size = pool.errors[problem], np.bincount(fine)
        rmse = np.sqrt(np.bincount(fine, errors**2) / size)
        distances = np.empty(len(fine))
        for c in range(len(size)):
            members = pool.features[problem[fine == c]]
            distances[fine == c] = np.linalg.norm(members - members.mean(axis=0), axis=1)
        rank = np.argsort(np.argsort(-rmse, kind="stable"))  # the order's inverse: the place of each cluster
        return cls(fine, errors, distances, rmse, size, rank)

    def turns(self, keys: tuple[FloatArray, ...]) -> IntArray:
        """Return each frame's place in its cluster, sorted by the last of the keys, then the ones before."""
        order = np.lexsort((*keys, self.fine))
        turn = np.empty(len(order), dtype=np.int64)
        # `order` runs through one cluster after the other: a frame's place in its own is its place in all,
        # less that of its cluster's first frame.
        turn[order] = np.arange(len(order)) - (np.cumsum(self.size) - self.size)[self.fine[order]]
        return turn
