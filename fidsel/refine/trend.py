"""Errors of frames against how far these are from what a model was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from fidsel.arrays import FloatArray, IntArray, shown
from fidsel.data import Frames
from fidsel.models.contract import ForceField
from fidsel.refine.diagnostics import UNITS, Shift, shift
from fidsel.selector.conformal import spearman

QUARTERS: Final = 4


@dataclass(frozen=True)
class Trend:
    """How errors go with one measure of shift.

    Parameters
    ----------
    rank : Spearman correlation of error and distance from training; None = all are equally far.
    edges : (4 + 1) distances between the quarters of the frames, nearest first.
    rmse : (4) RMSE of each quarter, None where it has no frame, as many are equally far.
    """

    rank: float | None
    edges: tuple[float, ...]
    rmse: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class ErrorShift:
    """Errors of some frames beside their shift.

    Parameters
    ----------
    shift : of the frames.
    errors : (n,) of the model on each, in `unit`.
    """

    shift: Shift
    errors: FloatArray
    unit: str
    __repr__ = shown

    @cached_property
    def distances(self) -> Mapping[str, FloatArray]:
        """(n,) by measure: how far each frame is; of force norms, how far from their mean in training."""
        found = dict(self.shift.per_frame)
        if "force norm" in found:
            mean = self.shift.systems[0].measures["force norm"].mean
            found["force norm"] = np.abs(found["force norm"] - mean)
        return found

    @cached_property
    def trends(self) -> Mapping[str, Trend]:
        """By measure, those known for at least four frames."""
        return {
            name: _trend(values[known], self.errors[known])
            for name, values in self.distances.items()
            if (known := np.isfinite(values) & np.isfinite(self.errors)).sum() >= QUARTERS
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        trends = {
            name: {
                "rank_correlation": one.rank,
                "edges": list(one.edges),
                "rmse": list(one.rmse),
            }
            for name, one in self.trends.items()
        }
        return {**self.shift.to_dict(), "trends": trends, "error_unit": self.unit, "units": dict(UNITS)}


def error_shift(
    model: ForceField, frames: Frames, errors: FloatArray, rows: IntArray, training: Frames, unit: str
) -> ErrorShift:
    """Return the errors of some frames beside how far they are from the training frames.

    Parameters
    ----------
    errors : (n,) of the model on each frame, see `fidsel.training.Errors.per_frame`.
    rows : frames that were not trained on.

    Raises
    ------
    UsageError
        see `fidsel.refine.shift`.
    """
    return ErrorShift(shift(model, frames[rows], training), errors[rows], unit)


def _trend(distance: FloatArray, errors: FloatArray) -> Trend:
    edges = np.quantile(distance, np.linspace(0, 1, QUARTERS + 1))
    quarter = np.searchsorted(edges[1:-1], distance, side="left")
    rmse = [
        float(np.sqrt((errors[quarter == i] ** 2).mean())) if (quarter == i).any() else None
        for i in range(QUARTERS)
    ]
    rank = spearman(distance, errors) if distance.max() > distance.min() else None
    return Trend(rank, tuple(edges.tolist()), tuple(rmse))
