"""What a set of labelled frames says of a model: on the whole, in its worst clusters, in its worst frames."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.cluster_error import cluster_errors

WORST, POPULATION = 5, 20
"""The worst clusters that are averaged, and the frames a cluster must have to be one of them."""
PERCENTILE = 99.0


@dataclass(frozen=True)
class SetErrors:
    """Errors of a model on a set of frames.

    ======= ====== ==========================================================================
    field   unit   meaning
    ======= ====== ==========================================================================
    frames         how many
    rmse    eV/Å   over all frames and components
    worst   eV/Å   mean RMSE of the five worst clusters with at least 20 frames; None without
    p99     eV/Å   99th percentile of the RMSE of a frame
    mae     eV/Å   mean absolute error per component; None where not given
    ======= ====== ==========================================================================

    For levels without forces the errors are of energies, in eV.
    """

    frames: int
    rmse: float
    worst: float | None
    p99: float
    mae: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def set_errors(
    frame_rmse: FloatArray,
    clusters: IntArray,
    weights: FloatArray | IntArray | None = None,
    mae: float | None = None,
) -> SetErrors:
    """Return the errors of a set of frames.

    Parameters
    ----------
    frame_rmse : (n,) eV/Å, NaN = unknown and left out.
    clusters : (n,) cluster of each frame.
    weights : (n,) positive, e.g. atoms per frame; None = equal, right where all frames have the same atoms.
    mae : eV/Å, of all frames.

    Raises
    ------
    UsageError
        where no error is known.

    Examples
    --------
    >>> found = set_errors(np.repeat([1.0, 3.0], 30), np.repeat([0, 1], 30))
    >>> found.worst, round(found.rmse, 3)
    (2.0, 2.236)
    """
    known = ~np.isnan(frame_rmse)
    if not known.any():
        raise UsageError("errors of a set need at least one frame whose error is known, got none")
    share = None if weights is None else np.asarray(weights[known], dtype=np.float64)
    found = cluster_errors(clusters[known], frame_rmse[known], share)
    worst = worst_clusters(found.rmse, found.population)
    tail = float(np.percentile(frame_rmse[known], PERCENTILE))
    return SetErrors(int(known.sum()), found.overall, worst, tail, mae)


def worst_clusters(rmse: tuple[float, ...], population: tuple[int, ...]) -> float | None:
    """Return the mean RMSE of the five worst clusters that are populated enough, None without such."""
    able = sorted(error for error, size in zip(rmse, population, strict=True) if size >= POPULATION)
    return float(np.mean(able[-WORST:])) if able else None
