"""When to stop buying labels: the error is low enough, everywhere low enough, or no longer falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np

from fidsel.arguments import Bound, Fraction, PositiveFloat, PositiveInt, check_arguments
from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.conformal import calibrate

Measure = Literal["mae", "rmse"]
"""The error that rules look at: mean absolute, or root-mean-square."""


class Why(StrEnum):
    """What ends a selection or a campaign."""

    TARGET = "target"
    CLUSTER_TARGET = "cluster target"
    FLAT = "flat"
    ROUNDS = "round limit"
    BUDGET = "budget spent"
    POOL = "pool exhausted"
    PROBES = "probes without labels"
    PICKS = "picks without labels"

    @property
    def waiting(self) -> bool:
        """Whether rounds go on once labels have come."""
        return self in (Why.PROBES, Why.PICKS)


@dataclass(frozen=True)
class Stop:
    """Why there are no more rounds.

    Parameters
    ----------
    why : the reason.
    text : the same with its numbers, as a sentence.
    """

    why: Why
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Stopping:
    """Rules that end a selection; each is off unless given.

    A rule that has looked at an error again and again until it was low enough makes that error a little
    too good: keep frames of your own for the last word.

    Parameters
    ----------
    target : eV/Å (eV at a level without forces), stop once the error over all frames is at most this.
    cluster_target : eV/Å, stop once in every cluster a fraction `coverage` of the frames is bound to have
        an error of at most this; clusters with few frames share a bound, see `calibrate`.
    coverage : of `cluster_target`.
    patience : stop once this many rounds together have not lowered the smallest error by `least_gain`.
    least_gain : relative fall of the error that counts as progress.
    measure : the error of `target` and `patience`: "mae", mean absolute, or "rmse", root-mean-square.

    Examples
    --------
    >>> str(Stopping(patience=2).reason([0.4, 0.3, 0.299, 0.2985], "eV/Å"))
    'flat: 2 rounds lowered the MAE by 0.5 %, less than 2 %'
    """

    target: PositiveFloat | None = None
    cluster_target: PositiveFloat | None = None
    coverage: Fraction = 0.9
    patience: PositiveInt | None = None
    least_gain: Annotated[float, Bound(ge=0, lt=1)] = 0.02
    measure: Measure = "mae"

    def __post_init__(self) -> None:
        check_arguments(self)

    def reason(self, errors: Sequence[float], unit: str, bound: float | None = None) -> Stop | None:
        """Return which rule ends the selection, None where it goes on.

        Parameters
        ----------
        errors : `measure` of all rounds, in order, on frames that were not trained on.
        bound : largest over clusters of what errors are bound by, see `worst_bound`; None where not known.
        """
        if self.target is not None and errors[-1] <= self.target:
            return Stop(
                Why.TARGET, f"target reached: {self._name} {errors[-1]:.4g} ≤ {self.target:.4g} {unit}"
            )
        if self.cluster_target is not None and bound is not None and bound <= self.cluster_target:
            return Stop(
                Why.CLUSTER_TARGET,
                f"target reached in every cluster: {100 * self.coverage:g} % of its frames are bound to have "
                f"an error of at most {bound:.4g} ≤ {self.cluster_target:.4g} {unit}",
            )
        return self._flat(errors)

    def _flat(self, errors: Sequence[float]) -> Stop | None:
        """Return that the error no longer falls, None while it does."""
        if self.patience is None or len(errors) <= self.patience:
            return None
        before, after = min(errors[: -self.patience]), min(errors[-self.patience :])
        gain = 1 - after / before if before > 0 else 0.0
        if gain >= self.least_gain:
            return None
        rounds = "1 round" if self.patience == 1 else f"{self.patience} rounds"
        return Stop(
            Why.FLAT,
            f"flat: {rounds} lowered the {self._name} by {100 * max(gain, 0.0):.2g} %, less than "
            f"{100 * self.least_gain:g} %",
        )

    @property
    def _name(self) -> str:
        return self.measure.upper()


def worst_bound(
    frame_errors: FloatArray, clusters: IntArray, coverage: float, merges: IntArray | None = None
) -> float:
    """Return the largest over clusters of the conformal bound of a frame's error.

    With `merges` clusters none of the frames belongs to count too, by the bound of those they join. Raises a
    `UsageError` for fewer frames than the coverage takes.

    Parameters
    ----------
    frame_errors : (n,) errors of random frames that were not trained on.
    clusters : (n,) their clusters.
    coverage : fraction of the frames that the bound holds for.
    merges : `BroadClusters.merges`, by which clusters with few frames join; None = they take the bound
        of all frames.
    """
    ones, every = np.ones(len(frame_errors)), np.ones(len(frame_errors), dtype=bool)
    found = calibrate(ones, frame_errors, clusters, every, coverage=coverage, merges=merges)
    names = np.unique(clusters) if merges is None else np.arange(len(merges) + 1)
    return float(found.bound(np.ones(len(names)), names).max())
