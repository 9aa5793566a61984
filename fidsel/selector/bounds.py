"""Upper bounds of estimated errors, calibrated on labels that were drawn at random."""

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.cluster_error import cluster_errors
from fidsel.selector.conformal import Calibration, calibrate, hold_out, least_frames
from fidsel.selector.error_sources.source import NOTHING, ErrorSource, Evidence, estimated
from fidsel.selector.pool import Pool


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds of the candidates' errors.

    Parameters
    ----------
    values : (n,) in the pool's unit; None where they could not be calibrated.
    record : plain values: coverage, calibration frames, factors (pooled, of clusters of their own, of merged
        ones), the bound of each cluster's RMSE.
    """

    values: FloatArray | None
    record: dict[str, Any]


def held_back(source: ErrorSource | type[ErrorSource]) -> float:
    """Return the share of the random labels that calibrates.

    Sources that learn more than a scale from known errors see the rest; a scale drops out of the bounds.
    """
    return 0.5 if source.needs_probes else 1.0


def least_probes(source: ErrorSource | type[ErrorSource], coverage: float) -> int:
    """Return the fewest random labels per round that a coverage can be promised from.

    >>> from fidsel.selector import Cheap, Probe
    >>> least_probes(Cheap, 0.9), least_probes(Probe, 0.9)
    (9, 18)
    """
    needed = least_frames(coverage)
    return next(n for n in count(needed) if round(held_back(source) * n) >= needed)


def error_bounds(
    source: ErrorSource,
    pool: Pool,
    known: FloatArray,
    coverage: float,
    rng: np.random.Generator,
    *,
    evidence: Evidence = NOTHING,
    merges: IntArray | None = None,
) -> Bounds:
    """Return bounds that hold for a fraction of the frames that are drawn at random.

    Parameters
    ----------
    known : (n,) errors of the random labels, NaN elsewhere; of a source that draws so many per cluster, which
        can take more of them where clusters differ in size, as it drew them.
    merges : of the clusters, see `fidsel.selector.calibrate`.
    """
    seen, calibration = hold_out(known, held_back(source), rng)
    try:
        estimates = estimated(source, pool, seen, evidence)
        found = calibrate(
            estimates, known, pool.clusters, calibration,
            coverage=coverage, stratified=source.by_cluster, merges=merges,
        )  # fmt: skip
    except UsageError as error:
        return Bounds(None, {"coverage": coverage, "why_none": str(error)})
    if not np.isfinite([found.pooled, *found.per_cluster.values()]).all():
        why = "a calibration frame with an estimated error of zero has an error: no factor bounds it"
        return Bounds(None, {"coverage": coverage, "why_none": why})
    values = found.bound(estimates, pool.clusters)
    return Bounds(values, _record(found, pool, values))


def _record(found: Calibration, pool: Pool, values: FloatArray) -> dict[str, Any]:
    free = ~pool.labelled
    clusters = cluster_errors(pool.clusters[free], values[free])
    shared = {c for group in found.merged for c in group}
    return {
        "coverage": found.coverage,
        "frames": found.frames,
        "factor": found.pooled,
        "own_factors": {str(c): q for c, q in found.per_cluster.items() if c not in shared},
        "merged": [
            {"clusters": list(group), "factor": found.per_cluster[group[0]]} for group in found.merged
        ],
        "clusters": {str(c): rmse for c, rmse in zip(clusters.cluster, clusters.rmse, strict=True)},
    }
