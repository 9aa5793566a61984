"""Campaigns beside each other: error at equal spend, spend at equal error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from scipy.stats import t as student

from fidsel.arrays import FloatArray
from fidsel.campaign.records.round import Round, last_arms
from fidsel.exceptions import UsageError
from fidsel.report import LearningCurve

COVERAGE = 0.9
"""Of the intervals over seeds."""


@dataclass(frozen=True)
class Trace:
    """How the error of one campaign, or of its control arm, went with what had been spent.

    Parameters
    ----------
    spent : (k,) after each round, base units, > 0.
    error : (k,) headline error, eV/Å or eV.
    labels : at the end, by level.
    seconds : wall time in all.
    extrapolated : whether errors are not measured but read off a fitted curve.
    used_up : whether it ends before the campaign it belongs to, because the pool has no more labels.
    """

    spent: tuple[float, ...]
    error: tuple[float, ...]
    labels: Mapping[str, int]
    seconds: float
    extrapolated: bool = False
    used_up: bool = False

    def error_at(self, spend: float) -> float:
        """Return the error at a spend, by interpolation of its logarithm; NaN where it was not measured.

        >>> Trace((10, 20), (4.0, 1.0), {}, 0.0).error_at(15)
        2.0
        """
        if not self.spent[0] <= spend <= self.spent[-1]:
            return float("nan")
        return float(np.exp(np.interp(spend, self.spent, np.log(self.error))))

    def spend_at(self, error: float) -> float:
        """Return the spend at which an error was first reached; NaN where it was not.

        >>> Trace((10, 20, 30), (4.0, 1.0, 2.0), {}, 0.0).spend_at(2.0)
        15.0
        """
        best = np.minimum.accumulate(self.error)
        if error < best[-1] * (1 - 1e-9):
            return float("nan")
        after = int(np.argmax(best <= error * (1 + 1e-9)))
        around = slice(max(after - 1, 0), after + 1)
        falling = np.log(best[around])[::-1]
        return float(np.interp(np.log(error), falling, np.array(self.spent)[around][::-1]))


@dataclass(frozen=True)
class Mean:
    """A geometric mean over seeds with its interval, see `COVERAGE`.

    Parameters
    ----------
    value : NaN where one of the seeds has none.
    low, high : NaN of fewer than two seeds.
    at_most : whether it is an upper bound.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    at_most: bool = False

    @classmethod
    def of(cls, values: Sequence[float], at_most: bool = False) -> "Mean":
        """Return the mean of values > 0, with the interval of Student's t distribution of their logarithms.

        >>> Mean.of([1.0])
        Mean(value=1.0, low=nan, high=nan, at_most=False)
        """
        logs = np.log(values)
        middle, count = float(logs.mean()), len(values)
        if count < 2:
            return cls(float(np.exp(middle)), at_most=at_most)
        reach = float(student.ppf(0.5 + COVERAGE / 2, count - 1) * logs.std(ddof=1)) / sqrt(count)
        value, low, high = (float(np.exp(middle + by)) for by in (0.0, -reach, reach))
        return cls(value, low, high, at_most)

    def __mul__(self, factor: float) -> "Mean":
        return Mean(self.value * factor, self.low * factor, self.high * factor, self.at_most)

    def __str__(self) -> str:
        if not isfinite(self.value):
            return "–"
        spread = f" ({self.low:.3g} to {self.high:.3g})" if isfinite(self.low) else ""
        return f"{'≤ ' * self.at_most}{self.value:.3g}{spread}"


@dataclass(frozen=True)
class Strategy:
    """One way to pick and train, with a trace for each seed."""

    name: str
    traces: tuple[Trace, ...]

    @property
    def extrapolated(self) -> bool:
        """Whether errors are not measured."""
        return any(trace.extrapolated for trace in self.traces)

    @property
    def reached(self) -> float:
        """Error that every seed reached."""
        return max(min(trace.error) for trace in self.traces)

    def error_at(self, spend: float) -> Mean:
        """Return the error at a spend, base units."""
        return Mean.of([trace.error_at(spend) for trace in self.traces])

    def spend_at(self, error: float) -> Mean:
        """Return the spend, base units, at which an error was first reached; a bound where at once."""
        at_once = any(error >= trace.error[0] for trace in self.traces)
        return Mean.of([trace.spend_at(error) for trace in self.traces], at_once)

    def curve(self, size: float) -> LearningCurve:
        """Return its learning curve, the mean over seeds at every spend that all of them have measured.

        Parameters
        ----------
        size : base units of spend in the unit that is shown.
        """
        first = self.traces[0]
        if len(self.traces) == 1:
            return self._drawn([spend / size for spend in first.spent], list(first.error))
        low, high = (pick(ends) for pick, ends in ((max, self._ends(0)), (min, self._ends(-1))))
        inside = {spend for trace in self.traces for spend in trace.spent if low <= spend <= high}
        grid = sorted(inside | ({low, high} if low <= high else set()))
        errors = np.array([[trace.error_at(spend) for spend in grid] for trace in self.traces])
        middle = np.exp(np.log(errors).mean(axis=0))
        spread = errors.std(axis=0, ddof=1) / sqrt(len(self.traces))
        return self._drawn([spend / size for spend in grid], list(middle), list(spread))

    def _ends(self, which: int) -> list[float]:
        return [trace.spent[which] for trace in self.traces]

    def _drawn(
        self, spend: list[float], error: list[float], spread: list[float] | None = None
    ) -> LearningCurve:
        return LearningCurve(self.name, spend, error, spread or (), extrapolated=self.extrapolated)


@dataclass(frozen=True)
class Comparison:
    """Strategies at equal spend and at equal error.

    Parameters
    ----------
    spend : base units.
    error : eV/Å or eV.
    """

    strategies: tuple[Strategy, ...]
    spend: float
    error: float

    @classmethod
    def of(cls, strategies: Sequence[Strategy], spend: float | None, error: float | None) -> "Comparison":
        """Return strategies compared where all of them are known.

        Parameters
        ----------
        spend : base units; None = the largest that all have spent.
        error : eV/Å or eV; None = the lowest that all have reached.
        """
        ends = [trace.spent[-1] for one in strategies for trace in one.traces]
        return cls(
            tuple(strategies),
            min(ends) if spend is None else spend,
            max(one.reached for one in strategies) if error is None else error,
        )


def campaign_trace(rounds: Sequence[Round]) -> Trace:
    """Return the trace of a campaign."""
    seconds = sum(sum(one.seconds.values()) for one in rounds)
    errors = tuple(one.metrics.headline for one in rounds)
    return Trace(_spent([one.spent for one in rounds]), errors, rounds[-1].labels, seconds)


def control_trace(rounds: Sequence[Round]) -> Trace | None:
    """Return the trace of the control arm, None where there is none.

    It is at the spend of the campaign, and ends where the pool has no more labels. Of an arm whose kind was
    edited, the rounds of its last kind count. Its wall time is part of that of the campaign.
    """
    known = last_arms(rounds)
    if not known:
        return None
    last, arm = known[-1]
    return Trace(
        _spent([each.at for _, each in known]),
        tuple(each.error for _, each in known),
        {list(last.labels)[-1]: arm.labels},
        float("nan"),
        extrapolated=arm.kind == "owned",
        used_up=arm.used_up,
    )


def _spent(amounts: Sequence[float]) -> tuple[float, ...]:
    spent: FloatArray = np.array(amounts)
    if spent[0] <= 0 or np.any(np.diff(spent) < 0):
        raise UsageError(
            "campaigns are compared by what they have spent, which must be more than nothing after round 0 "
            f"and never fall, got {', '.join(f'{spend:.4g}' for spend in spent)} base units"
        )
    return tuple(spent.tolist())
