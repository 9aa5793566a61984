"""Cluster errors: where in the configuration space a model is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray, html_table, shown
from fidsel.exceptions import UsageError

WORST, POPULATION = 5, 20
"""The worst clusters that are averaged, and the frames a cluster must have to be one of them."""


@dataclass(frozen=True)
class ClusterErrors:
    """Force errors of each cluster, from the lowest RMSE to the highest; unknown ones (NaN) last.

    ========== ====== ==================================================================
    field      unit   meaning
    ========== ====== ==================================================================
    cluster           number of each cluster, in ascending order of its RMSE
    rmse       eV/Å   over all frames and 3N components of the cluster
    population        frames in the cluster
    measured          frames whose error is known
    overall    eV/Å   RMSE over all frames
    mae        eV/Å   mean absolute error per component; empty where not given
    ========== ====== ==================================================================
    """

    cluster: tuple[int, ...]
    rmse: tuple[float, ...]
    population: tuple[int, ...]
    measured: tuple[int, ...]
    overall: float
    mae: tuple[float, ...] = ()
    __repr__ = shown

    def __len__(self) -> int:
        return len(self.cluster)

    def _repr_html_(self) -> str:
        """Return a table for a notebook, the worst cluster first."""
        rows = list(zip(self.cluster, self.population, self.rmse, strict=True))
        title = f"errors of {len(self)} clusters, {self.overall:.4g} over all frames"
        return html_table(title, ("cluster", "frames", "RMSE"), rows[::-1])

    @property
    def worst(self) -> float:
        """RMSE of the worst cluster, eV/Å."""
        return float(np.nanmax(self.rmse))

    def rmse_of(self, cluster: int) -> float:
        """Return the RMSE of one cluster, eV/Å."""
        if cluster not in self.cluster:
            raise UsageError(f"there is no cluster {cluster}; there are {sorted(self.cluster)}")
        return self.rmse[self.cluster.index(cluster)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        return {
            "cluster": list(self.cluster), "rmse": _plain(self.rmse), "population": list(self.population),
            "measured": list(self.measured), "overall": self.overall, "mae": _plain(self.mae),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the errors that `to_dict` described."""
        return cls(
            tuple(values["cluster"]), _numbers(values["rmse"]), tuple(values["population"]),
            tuple(values["measured"]), values["overall"], _numbers(values["mae"]),
        )  # fmt: skip


def cluster_errors(
    clusters: IntArray,
    frame_rmse: FloatArray,
    weights: FloatArray | None = None,
    frame_mae: FloatArray | None = None,
) -> ClusterErrors:
    """Return the errors of clusters of frames.

    RMSE_c = sqrt(Σ_i w_i e_i² / Σ_i w_i) over the frames of c whose error e_i is known.

    Parameters
    ----------
    clusters : (n,) cluster of each frame.
    frame_rmse : (n,) eV/Å, over the 3N components of each frame; NaN = unknown.
    weights : (n,) positive, e.g. atoms per frame; None = equal, right where all frames have the same atoms.
    frame_mae : (n,) eV/Å, mean absolute component error of each frame.

    Raises
    ------
    UsageError
        where no error is known, or one is negative or infinite.

    Examples
    --------
    >>> errors = cluster_errors(np.array([0, 0, 1]), np.array([3.0, 4.0, 1.0]))
    >>> errors.cluster, [round(e, 3) for e in errors.rmse], round(errors.overall, 3)
    ((1, 0), [1.0, 3.536], 2.944)
    """
    weights = np.ones(len(frame_rmse)) if weights is None else weights
    for name, array in {"clusters": clusters, "weights": weights, "frame_mae": frame_mae}.items():
        if array is not None and len(array) != len(frame_rmse):
            raise UsageError(
                f"{name} must have one entry per frame error ({len(frame_rmse)}), got {len(array)}"
            )
    known = ~np.isnan(frame_rmse)
    if not known.any() or not (np.isfinite(frame_rmse[known]) & (frame_rmse[known] >= 0)).all():
        raise UsageError(
            "cluster errors need at least one known frame error, and all known ones finite and ≥ 0"
        )
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise UsageError("weights of frames must be positive numbers")
    names, inverse = np.unique(clusters, return_inverse=True)
    square, overall = _group_means(inverse[known], frame_rmse[known] ** 2, weights[known], len(names))
    order = np.lexsort((names, square))
    mae: FloatArray = np.empty(0)
    if frame_mae is not None:
        mae = _group_means(inverse[known], frame_mae[known], weights[known], len(names))[0][order]
    return ClusterErrors(
        tuple(names[order].tolist()), tuple(np.sqrt(square[order]).tolist()),
        tuple(np.bincount(inverse)[order].tolist()),
        tuple(np.bincount(inverse[known], minlength=len(names))[order].tolist()),
        float(np.sqrt(overall)), tuple(mae.tolist()),
    )  # fmt: skip


def worst_clusters(errors: ClusterErrors) -> float | None:
    """Return the mean RMSE of the five worst clusters with at least 20 frames, eV/Å; None without such.

    Examples
    --------
    >>> worst_clusters(cluster_errors(np.repeat([0, 1], 30), np.repeat([1.0, 3.0], 30)))
    2.0
    """
    pairs = zip(errors.rmse, errors.measured, strict=True)
    able = sorted(error for error, size in pairs if size >= POPULATION)
    return float(np.mean(able[-WORST:])) if able else None


def _group_means(
    group: IntArray, values: FloatArray, weights: FloatArray, k: int
) -> tuple[FloatArray, float]:
    """Return the weighted mean of each group (NaN where empty) and of all."""
    sums = np.bincount(group, values * weights, minlength=k)
    total = np.bincount(group, weights, minlength=k)
    means = np.full(k, np.nan)
    np.divide(sums, total, out=means, where=total > 0)
    return means, float(sums.sum() / total.sum())


def _plain(values: tuple[float, ...]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values]


def _numbers(values: list[float | None]) -> tuple[float, ...]:
    return tuple(np.nan if value is None else value for value in values)
