"""Why a frame was picked, in the words of the report."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.cluster_error import ClusterErrors, cluster_errors
from fidsel.selector.pool import Pool


def about(pool: Pool, rows: IntArray) -> list[str]:
    """Return what is known of each of some rows: its cluster, the cluster's error and size, its own error.

    Clusters are those of the unlabelled frames. Errors that are unknown are left out.
    """
    errors = np.where(np.isfinite(pool.errors) & (pool.errors >= 0), pool.errors, np.nan)
    return [
        f"{cluster}{_own(pool, errors[row])}"
        for cluster, row in zip(_clusters(pool, errors, rows), rows, strict=True)
    ]


def at_cost(pool: Pool, row: int, fidelity: int) -> str:
    """Return the level of theory and what its label costs, "" where the pool does not know the cost.

    A level without a name is told by its place, unless there is one only.
    """
    cost, count = pool.costs[row, fidelity], pool.costs.shape[1]
    if not np.isfinite(cost):
        return ""
    place = f"at level {fidelity + 1} of {count}, " if count > 1 else ""
    level = f"at {pool.levels[fidelity]}, " if pool.levels else place
    plural = "" if cost == 1 else "s"
    unit = f" {pool.cost_unit}{plural}" if pool.cost_unit else ""
    return f"; {level}cost {cost:.4g}{unit}"


def counted(count: int) -> str:
    """Return a number of frames in words.

    >>> counted(1), counted(3)
    ('1 frame', '3 frames')
    """
    return "1 frame" if count == 1 else f"{count} frames"


def milli(pool: Pool, error: float) -> str:
    """Return an error with a unit of a convenient size."""
    return f"{1000 * error:.3g} m{pool.unit}"


def _own(pool: Pool, error: float) -> str:
    return "" if np.isnan(error) else f", error {milli(pool, error)}"


def _clusters(pool: Pool, errors: FloatArray, rows: IntArray) -> list[str]:
    """Return "cluster 4 (RMSE 250 meV/Å, 1.92 × overall, 8 frames)" for the cluster of each row."""
    free = ~pool.labelled
    names, sizes = np.unique(pool.clusters[free], return_counts=True)
    text = dict.fromkeys(names.tolist(), "")
    if np.isfinite(errors[free]).any():
        found = cluster_errors(pool.clusters[free], errors[free])
        text = {c: _error(pool, found, rmse) for c, rmse in zip(found.cluster, found.rmse, strict=True)}
    size = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    return [f"cluster {c} ({text[c]}{counted(size[c])})" for c in pool.clusters[rows].tolist()]


def _error(pool: Pool, found: ClusterErrors, rmse: float) -> str:
    if np.isnan(rmse):
        return ""
    ratio = f"{rmse / found.overall:.2f} × overall, " if found.overall > 0 else ""
    return f"RMSE {milli(pool, rmse)}, {ratio}"
