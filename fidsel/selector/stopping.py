"""When to stop buying labels: the error is low enough, everywhere low enough, or no longer falls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.conformal import calibrate


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

    Examples
    --------
    >>> Stopping(patience=2).flat([0.4, 0.3, 0.299, 0.2985])
    'flat: 2 rounds lowered the error by 0.5 %, less than 2 %'
    """

    target: float | None = None
    cluster_target: float | None = None
    coverage: float = 0.9
    patience: int | None = None
    least_gain: float = 0.02

    def __post_init__(self) -> None:
        for name in ("target", "cluster_target"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be a positive error, got {value}")
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"patience must be at least one round, got {self.patience}")
        if not (0 < self.coverage < 1 and 0 <= self.least_gain < 1):
            raise UsageError(
                f"coverage must lie between 0 and 1 and least_gain in [0, 1), got {self.coverage} and "
                f"{self.least_gain}"
            )

    def low(self, error: float, unit: str) -> str:
        """Return that the error over all frames reached its target, "" where it did not."""
        if self.target is None or error > self.target:
            return ""
        return f"target reached: error {error:.4g} ≤ {self.target:.4g} {unit}"

    def everywhere_low(
        self, frame_errors: FloatArray, clusters: IntArray, unit: str, merges: IntArray | None = None
    ) -> str:
        """Return that all clusters reached their target, "" where one did not.

        Parameters
        ----------
        frame_errors : (n,) errors of random frames that were not trained on.
        clusters : (n,) their clusters.
        merges : `BroadClusters.merges`, by which clusters with few frames join; None = they take the bound
            of all frames.

        Raises
        ------
        UsageError
            for fewer frames than the coverage takes.
        """
        if self.cluster_target is None:
            return ""
        bound = worst_bound(frame_errors, clusters, self.coverage, merges)
        if bound > self.cluster_target:
            return ""
        return (
            f"target reached in every cluster: {100 * self.coverage:g} % of its frames have an error of at "
            f"most {bound:.4g} ≤ {self.cluster_target:.4g} {unit}"
        )

    def flat(self, errors: Sequence[float]) -> str:
        """Return that the error no longer falls, "" while it does.

        Parameters
        ----------
        errors : of all rounds, in order.
        """
        if self.patience is None or len(errors) <= self.patience:
            return ""
        before, after = min(errors[: -self.patience]), min(errors[-self.patience :])
        gain = 1 - after / before if before > 0 else 0.0
        if gain >= self.least_gain:
            return ""
        rounds = "1 round" if self.patience == 1 else f"{self.patience} rounds"
        return (
            f"flat: {rounds} lowered the error by {100 * max(gain, 0.0):.2g} %, less than "
            f"{100 * self.least_gain:g} %"
        )


def worst_bound(
    frame_errors: FloatArray, clusters: IntArray, coverage: float, merges: IntArray | None = None
) -> float:
    """Return the largest over clusters of the conformal bound of a frame's error.

    With `merges` clusters none of the frames belongs to count too, by the bound of those they join.
    """
    ones, every = np.ones(len(frame_errors)), np.ones(len(frame_errors), dtype=bool)
    found = calibrate(ones, frame_errors, clusters, every, coverage=coverage, merges=merges)
    names = np.unique(clusters) if merges is None else np.arange(len(merges) + 1)
    return float(found.bound(np.ones(len(names)), names).max())
