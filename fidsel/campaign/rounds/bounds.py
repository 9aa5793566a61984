"""Upper bounds of estimated errors, calibrated on the labels that a round draws at random."""

from dataclasses import dataclass
from itertools import count
from math import ceil
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.campaign.settings import LEARNED, ErrorKind
from fidsel.exceptions import UsageError
from fidsel.selector import Pool, calibrate, cluster_errors, hold_out
from fidsel.selector.pool import ErrorSource


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of the candidates' errors.

    Parameters
    ----------
    values : (n,) eV/Å, or eV at a level without forces; None where they could not be calibrated.
    record : plain values: coverage, calibration frames, factors (pooled, of clusters of their own, of merged
        ones), the bound of each cluster's RMSE.
    """

    values: FloatArray | None
    record: dict[str, Any]


def held_back(kind: ErrorKind) -> float:
    """Return the share of the random labels that calibrates.

    Sources that learn more than a scale from known errors see the rest; a scale drops out of the bounds.
    """
    return 0.5 if kind in LEARNED else 1.0


def least_probes(kind: ErrorKind, coverage: float) -> int:
    """Return the fewest random labels per round that a coverage can be promised from.

    >>> least_probes("cheap", 0.9), least_probes("probe", 0.9)
    (9, 18)
    """
    needed = ceil(round(coverage / (1 - coverage), 9))
    return next(n for n in count(needed) if round(held_back(kind) * n) >= needed)


def error_bounds(
    source: ErrorSource,
    kind: ErrorKind,
    pool: Pool,
    known: FloatArray,
    coverage: float,
    rng: np.random.Generator,
    merges: IntArray | None = None,
) -> Bounds:
    """Return bounds that hold for a fraction of the frames that are drawn at random.

    Parameters
    ----------
    known : (n,) errors of the random labels, NaN elsewhere; with "probe" so many drawn per cluster, which
        can take more of them where clusters differ in size.
    merges : of the clusters, see `fidsel.selector.calibrate`.
    """
    seen, calibration = hold_out(known, held_back(kind), rng)
    try:
        estimates = source.estimate(pool, seen)
        found = calibrate(
            estimates, known, pool.clusters, calibration,
            coverage=coverage, stratified=kind == "probe", merges=merges,
        )  # fmt: skip
    except UsageError as error:
        return Bounds(None, {"coverage": coverage, "why_none": str(error)})
    if not np.isfinite([found.pooled, *found.per_cluster.values()]).all():
        why = "a calibration frame with an estimated error of zero has an error: no factor bounds it"
        return Bounds(None, {"coverage": coverage, "why_none": why})
    values, free = found.bound(estimates, pool.clusters), ~pool.labelled
    clusters = cluster_errors(pool.clusters[free], values[free])
    shared = {c for group in found.merged for c in group}
    return Bounds(
        values,
        {
            "coverage": coverage,
            "frames": found.frames,
            "factor": found.pooled,
            "own_factors": {str(c): q for c, q in found.per_cluster.items() if c not in shared},
            "merged": [
                {"clusters": list(group), "factor": found.per_cluster[group[0]]} for group in found.merged
            ],
            "clusters": {str(c): rmse for c, rmse in zip(clusters.cluster, clusters.rmse, strict=True)},
        },
    )
