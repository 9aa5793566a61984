"""Priced levels, and the purchase that a budget and a learning law make best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import floor, inf
from typing import Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import Interval, Law
from fidsel.fidelity.planner.priors import Kind

LARGEST_SET = 100_000
"""Labels of one level that are bought at most where nothing else limits them: the largest cheap set that
networks were seen to gain from."""

RATIOS = {1: 1.03, 2: 1.15, 3: 1.5}
"""Ratio of neighbouring cheap numbers tried, by the number of cheap levels; 2 where there are more."""

ROUNDING = 1e-9


@dataclass(frozen=True)
class PricedLevel:
    """A level of theory as the planner sees it.

    Parameters
    ----------
    name : short name.
    cost : of one label, in the unit of the budget; 0 for free labels.
    owned : labels already there; they count for training and cost nothing.
    available : labels that can still be bought (frames in the pool); None = `largest`.
    seconds : wall time of one label, s; None = unknown.
    kind : of theory, which decides what is expected of it before anything is measured.
    companion : of `cost`, what labels of the same frame at the cheap levels take; validation labels have
        none. With companions every accurate frame is one of each cheap level that is not left out.
    largest : labels that can be trained on.

    Examples
    --------
    >>> PricedLevel("dft", 0.3).affordable(0.9), PricedLevel("dft", 0.3, available=2).affordable(0.9)
    (3, 2)
    """

    name: str
    cost: float
    owned: int = 0
    available: int | None = None
    seconds: float | None = None
    kind: Kind = "dft"
    companion: float = 0.0
    largest: int = LARGEST_SET

    def __post_init__(self) -> None:
        if not (0 <= self.cost < inf):
            raise UsageError(f"the price of {self.name} must be a number ≥ 0, got {self.cost}")
        if self.owned < 0 or self.limit < 0:
            raise UsageError(
                f"owned and available labels of {self.name} must be ≥ 0, got {self.owned} and {self.limit}"
            )
        if self.cost == 0 and self.available is None:
            raise UsageError(f"labels of {self.name} are free: say how many are available")

    @property
    def limit(self) -> int:
        """Labels that can still be bought."""
        return self.largest if self.available is None else self.available

    def affordable(self, money: float) -> int:
        """Return how many labels that money buys, at most those available."""
        if self.cost == 0:
            return self.limit
        return max(0, min(self.limit, floor(money / self.cost * (1 + ROUNDING))))


@dataclass(frozen=True, eq=False)
class SplitProblem:
    """What a purchase is chosen from.

    Parameters
    ----------
    levels : cheapest first; the last is the accurate one.
    total : budget.
    fixed : of the budget, spent already or set aside.
    minimum : accurate training labels to reach, owned ones included.
    law : how errors fall with labels.
    """

    levels: tuple[PricedLevel, ...]
    total: float
    fixed: float
    minimum: int
    law: Law

    @property
    def cheap(self) -> tuple[PricedLevel, ...]:
        """All levels but the accurate one."""
        return self.levels[:-1]

    @property
    def accurate(self) -> PricedLevel:
        """The dearest level."""
        return self.levels[-1]

    @property
    def money(self) -> float:
        """What is left to buy training labels with."""
        return self.total - self.fixed

    @property
    def least(self) -> int:
        """Accurate labels that have to be bought."""
        return max(0, self.minimum - self.accurate.owned)

    @property
    def spare(self) -> float:
        """What is left for cheap labels once the minimum is bought; negative where it cannot be."""
        return self.money - self.least * self.accurate.cost

    @property
    def open(self) -> bool:
        """Whether the budget pays for the minimum."""
        return self.spare >= -ROUNDING * self.total

    def with_total(self, total: float) -> Self:
        """Return the problem with another budget."""
        return replace(self, total=total)

    def repriced(self, row: int, factor: float) -> Self:
        """Return the problem with the price of one level multiplied; what is set aside stays."""
        levels = list(self.levels)
        levels[row] = replace(levels[row], cost=factor * levels[row].cost)
        return replace(self, levels=tuple(levels))

    def without(self, *rows: int) -> Self:
        """Return the problem without some cheap levels, whose labels accurate frames do not get either."""
        levels = list(self.levels)
        spared = sum(levels[row].cost for row in rows) if self.accurate.companion else 0.0
        for row in rows:
            levels[row] = replace(levels[row], owned=0, available=0)
        accurate, companion = self.accurate, max(self.accurate.companion - spared, 0.0)
        levels[-1] = replace(accurate, cost=max(accurate.cost - spared, 0.0), companion=companion)
        law = replace(self.law, exact=self.law.exact - set(rows))
        return replace(self, levels=tuple(levels), law=law)

    def only_accurate(self) -> Self:
        """Return the problem of accurate labels alone, for which nothing is paid at cheap levels."""
        return self.without(*range(len(self.cheap)))

    def cost(self, bought: Sequence[int]) -> float:
        """Return the price of a purchase."""
        return float(sum(n * level.cost for n, level in zip(bought, self.levels, strict=True)))

    def mostly(self, row: int, share: float) -> tuple[int, ...]:
        """Return the purchase that gives a share of the money to one cheap level, the rest to accurate."""
        bought = [0] * len(self.levels)
        bought[row] = self.levels[row].affordable(min(share * self.money, self.spare))
        bought[-1] = self.accurate.affordable(self.money - bought[row] * self.levels[row].cost)
        return tuple(bought)

    def best(self) -> tuple[int, ...]:
        """Return the purchase with the lowest expected ln error; of equal ones the cheapest.

        The numbers tried of a cheap level do not depend on the budget, and what it leaves buys
        accurate labels: so more money never makes the expectation worse.
        """
        ratio = RATIOS.get(len(self.cheap), 2.0)
        grids = [_ladder(level, self.spare, ratio) for level in self.cheap]
        rows = list(product(*grids))
        cheap = np.array(rows, dtype=np.int64).reshape(len(rows), len(self.cheap))
        paid = cheap @ np.array([level.cost for level in self.cheap])
        dear = np.array([self.accurate.affordable(rest) for rest in self.money - paid])
        keep = (dear >= self.least) & (paid <= self.money + ROUNDING * self.total)
        cheap, dear, paid = cheap[keep], dear[keep], paid[keep]
        scores = self.law.mean_log_error(*self._trained(dear, cheap))
        row = np.lexsort((paid + dear * self.accurate.cost, np.round(scores, 12)))[0]
        return (*(int(n) for n in cheap[row]), int(dear[row]))

    def errors(self, bought: Sequence[int]) -> FloatArray:
        """Return the error expected after a purchase under each draw of the law, (n_draws,)."""
        n_hi, n_lo = self.trained(bought)
        return self.law.errors(n_hi, n_lo)

    def predict(self, bought: Sequence[int]) -> Interval:
        """Return the error of one training after a purchase, with its 90 % interval."""
        n_hi, n_lo = self.trained(bought)
        return self.law.predict(n_hi, n_lo)

    def score(self, bought: Sequence[int]) -> float:
        """Return the posterior mean of ln error after a purchase."""
        n_hi, n_lo = self.trained(bought)
        return float(self.law.mean_log_error([n_hi], [n_lo])[0])

    def trained(self, bought: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """Return the accurate and the cheap labels that are trained on after a purchase."""
        n_hi, n_lo = self._trained(np.array(bought[-1:]), np.array([bought[:-1]], np.int64))
        return int(n_hi[0]), tuple(n_lo[0].tolist())

    def _trained(self, dear: IntArray, cheap: IntArray) -> tuple[IntArray, IntArray]:
        """Return accurate (m,) and cheap (m, levels) labels trained on, with owned ones and companions."""
        n_hi = dear + self.accurate.owned
        n_lo = cheap + np.array([level.owned for level in self.cheap], np.int64)
        if self.accurate.companion:
            kept = np.array([level.owned + level.limit > 0 for level in self.cheap], dtype=bool)
            n_lo = np.where(kept, np.maximum(n_lo, n_hi[:, None]), n_lo)
        return n_hi, n_lo

    def standard_errors(self) -> FloatArray:
        """Return the error of all the money on accurate labels, trained on those alone, (n_draws,)."""
        alone = self.only_accurate()
        return alone.errors((0,) * len(self.cheap) + (alone.accurate.affordable(alone.money),))


def _ladder(level: PricedLevel, money: float, ratio: float) -> list[int]:
    """Return numbers up to what money buys: rungs that are the same for any money, and all there are."""
    top = level.affordable(money)
    if level.cost == 0:
        return [top]
    rungs = {0} | ({top} if top == level.limit else set())
    value = 1.0
    while value <= top:
        rungs.add(int(value))
        value *= ratio
    return sorted(rungs)
