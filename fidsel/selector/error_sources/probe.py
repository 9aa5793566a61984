"""`Probe`: the error of a few frames of each cluster, labelled first."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.error_sources.shrinkage import shrunk_rms
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, checked, number, random_rows
from fidsel.selector.pickers.allocation import in_proportion
from fidsel.selector.pool import Pool


@dataclass(frozen=True)
class Probe(ErrorSource):
    """The error of a few frames of each cluster, labelled first and drawn at random.

    Each frame gets its cluster's RMSE, shrunk towards the overall one the more the fewer probes the
    cluster has (`shrunk_rms` has the formula); a known frame keeps its own.

    Parameters
    ----------
    minimum : probes per cluster before the rest is shared in proportion to population; lowered
        evenly where `n` does not reach.
    """

    name: ClassVar[str] = "probe"
    needs_probes: ClassVar[bool] = True
    by_cluster: ClassVar[bool] = True
    minimum: int = 2

    def __post_init__(self) -> None:
        if self.minimum < 0:
            raise UsageError(f"minimum must be ≥ 0 probes per cluster, got {self.minimum}")

    def draw(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:
        """Return at most `n` unlabelled rows, drawn at random in each cluster, in random order."""
        free = random_rows(pool, len(pool), rng)
        n = min(number(n), len(free))
        names, inverse = np.unique(pool.clusters[free], return_inverse=True)
        if n == 0:
            return np.empty(0, dtype=np.int64)
        size = np.bincount(inverse)
        floor = np.minimum(min(self.minimum, n // len(names)), size)
        counts = floor + in_proportion(n - int(floor.sum()), size.astype(np.float64), size - floor)
        chosen = [free[inverse == c][: counts[c]] for c in range(len(names))]
        return rng.permutation(np.concatenate(chosen))

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:  # noqa: ARG002
        """Return the shrunk RMSE of each frame's cluster, or its known error, (n,).

        Raises
        ------
        UsageError
            where no error is known.
        """
        known = checked(pool, known)
        has = ~np.isnan(known)
        if not has.any():
            raise UsageError(
                "the error source 'probe' needs known errors, got none: label the rows of wants()"
            )
        _, inverse = np.unique(pool.clusters, return_inverse=True)
        rms = shrunk_rms(known[has], inverse[has], np.bincount(inverse))
        return np.where(has, known, rms[inverse])
