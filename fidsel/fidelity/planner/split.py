"""Priced levels, and the purchase that a budget and a learning law make best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import floor, inf, isclose
from typing import Self

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
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
        none. With companions every accurate frame is one of each cheap level that is not left out, and no
        label is paid for twice.
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


@dataclass(frozen=True)
class Start:
    """Which accurate frames are drawn together with the cheap ones, whose labels theirs are then among.

    The others are picked later, wherever they help most: those that have no cheap label then get one.

    Parameters
    ----------
    share : of the accurate labels.
    least : accurate labels drawn so at least.
    """

    share: float = 1.0
    least: int = 0

    def of(self, accurate: IntArray) -> IntArray:
        """Return how many of a number of accurate labels are drawn so.

        >>> Start(0.4, 3).of(np.array([2, 5, 50])).tolist()
        [2, 3, 20]
        """
        drawn = np.maximum(np.rint(self.share * accurate).astype(np.int64), self.least)
        found: IntArray = np.minimum(drawn, accurate)
        return found


@dataclass(frozen=True, eq=False)
class SplitProblem:
    """What a purchase is chosen from.

    A purchase is what is asked for of each level. With companions more cheap labels are bought than that
    where accurate frames have none: `labels` says how many, and cost, time and errors go by these.

    Parameters
    ----------
    levels : cheapest first; the last is the accurate one.
    total : budget.
    fixed : of the budget, spent already or set aside.
    minimum : accurate training labels to reach, owned ones included.
    law : how errors fall with labels.
    start : which accurate frames are drawn together with the cheap ones.
    """

    levels: tuple[PricedLevel, ...]
    total: float
    fixed: float
    minimum: int
    law: Law
    start: Start = Start()

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
        return self.money - self.cost((*(0 for _ in self.cheap), self.least))

    @property
    def open(self) -> bool:
        """Whether the budget pays for the minimum."""
        return self.spare >= -ROUNDING * self.total

    def with_total(self, total: float) -> Self:
        """Return the problem with another budget."""
        return replace(self, total=total)

    def repriced(self, row: int, factor: float) -> Self:
        """Return the problem with the price of one level multiplied; what is set aside stays."""
        levels, accurate = list(self.levels), self.accurate
        if row == len(self.cheap):
            own = accurate.cost - accurate.companion
            levels[-1] = replace(accurate, cost=factor * own + accurate.companion)
        else:
            more = (factor - 1) * levels[row].cost
            levels[row] = replace(levels[row], cost=factor * levels[row].cost)
            if self.paired[row]:
                cost, companion = accurate.cost + more, accurate.companion + more
                levels[-1] = replace(accurate, cost=cost, companion=companion)
        return replace(self, levels=tuple(levels))

    def without(self, *rows: int) -> Self:
        """Return the problem without some cheap levels, whose labels accurate frames do not get either."""
        levels = list(self.levels)
        spared = sum(levels[row].cost for row in rows if self.paired[row])
        for row in rows:
            levels[row] = replace(levels[row], owned=0, available=0)
        accurate, companion = self.accurate, max(self.accurate.companion - spared, 0.0)
        levels[-1] = replace(accurate, cost=max(accurate.cost - spared, 0.0), companion=companion)
        law = replace(self.law, exact=self.law.exact - set(rows))
        return replace(self, levels=tuple(levels), law=law)

    def only_accurate(self) -> Self:
        """Return the problem of accurate labels alone, for which nothing is paid at cheap levels."""
        return self.without(*range(len(self.cheap)))

    @property
    def paired(self) -> BoolArray:
        """Whether accurate frames are labelled at each cheap level, too, (levels,)."""
        if not self.accurate.companion:
            return np.zeros(len(self.cheap), dtype=bool)
        exact = self.law.exact
        kept = [row in exact or level.owned + level.limit > 0 for row, level in enumerate(self.cheap)]
        return np.array(kept, dtype=bool)

    @property
    def consistent(self) -> bool:
        """Whether what companions cost is the price of a label at each level that has some."""
        prices = sum(level.cost for level, pair in zip(self.cheap, self.paired, strict=True) if pair)
        return isclose(self.accurate.companion, prices, rel_tol=1e-6)

    def labels(self, bought: Sequence[int]) -> tuple[int, ...]:
        """Return how many labels of each level a purchase buys, those of accurate frames included."""
        dear, cheap = _arrays(bought)
        return (*self._labels(dear, cheap)[0].tolist(), int(dear[0]))

    def cost(self, bought: Sequence[int]) -> float:
        """Return the price of a purchase."""
        return float(self._costs(*_arrays(bought))[0])

    def _labels(self, dear: IntArray, cheap: IntArray) -> IntArray:
        """Return cheap labels bought, (m, levels), for accurate (m,) and cheap ones (m, levels) asked for.

        Accurate frames of the start are among the cheap ones. Of `free` frames that are left each later one
        is as likely as any other, and some have a cheap label: its expectation is that of a draw.
        """
        paired, owned = self.paired, self._owned
        if not paired.any():
            return cheap
        drawn = self.start.of(dear)
        together, picked = (drawn + self.accurate.owned)[:, None], (dear - drawn)[:, None]
        frames = owned + np.array([level.limit for level in self.cheap], np.int64)
        had = np.maximum(cheap + owned, together)
        free = np.maximum(frames - together, 1)
        without = np.clip(1 - (had - together) / free, 0.0, 1.0)
        total = np.minimum(had + np.rint(picked * without).astype(np.int64), frames)
        total = np.maximum(total, together + picked)  # whatever is picked has its cheap label in the end
        found: IntArray = np.where(paired, total - owned, cheap)
        return found

    def _costs(self, dear: IntArray, cheap: IntArray) -> FloatArray:
        """Return the price of purchases, (m,)."""
        own = self.accurate.cost - self.accurate.companion if self.paired.any() else self.accurate.cost
        prices = np.array([level.cost for level in self.cheap], np.float64)
        found: FloatArray = self._labels(dear, cheap) @ prices + dear * own
        return found

    def _affordable(self, cheap: IntArray) -> IntArray:
        """Return how many accurate labels the money buys beside cheap ones, (m,); -1 where not even these."""
        if not self.paired.any():
            rest = self.money - cheap @ np.array([level.cost for level in self.cheap], np.float64)
            return np.array([self.accurate.affordable(money) for money in rest.tolist()], np.int64)
        # the price grows with the accurate labels: halve the interval that holds the last one paid for
        low = np.full(len(cheap), -1, np.int64)
        high = np.full(len(cheap), self.accurate.limit + 1, np.int64)
        while (high - low > 1).any():
            middle = (low + high) // 2
            paid = self._costs(np.maximum(middle, 0), cheap) <= self.money + ROUNDING * self.total
            low, high = np.where(paid, middle, low), np.where(paid, high, middle)
        return low

    def mostly(self, row: int, share: float) -> tuple[int, ...]:
        """Return the purchase that gives a share of the money to one cheap level, the rest to accurate."""
        bought = [0] * len(self.levels)
        bought[row] = self.levels[row].affordable(min(share * self.money, self.spare))
        bought[-1] = max(int(self._affordable(np.array([bought[:-1]], np.int64))[0]), 0)
        return tuple(bought)

    def best(self) -> tuple[int, ...]:
        """Return the purchase with the lowest expected ln error; of equal ones the cheapest.

        The numbers tried of a cheap level do not depend on the budget, and what it leaves buys
        accurate labels: so more money never makes the expectation worse.
        """
        ratio = RATIOS.get(len(self.cheap), 2.0)
        money = self.money - self.least * (self.accurate.cost - self.accurate.companion)
        grids = [_ladder(level, money, ratio) for level in self.cheap]
        rows = list(product(*grids))
        cheap = np.array(rows, dtype=np.int64).reshape(len(rows), len(self.cheap))
        dear = self._affordable(cheap)
        keep = dear >= self.least
        cheap, dear = cheap[keep], dear[keep]
        costs = self._costs(dear, cheap)
        keep = costs <= self.money + ROUNDING * self.total
        cheap, dear, costs = cheap[keep], dear[keep], costs[keep]
        scores = self.law.mean_log_error(*self._trained(dear, cheap))
        # of purchases that come to the same the first, which asks for the fewest cheap labels
        row = np.lexsort((costs, np.round(scores, 12)))[0]
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
        n_hi, n_lo = self._trained(*_arrays(bought))
        return int(n_hi[0]), tuple(n_lo[0].tolist())

    def _trained(self, dear: IntArray, cheap: IntArray) -> tuple[IntArray, IntArray]:
        """Return accurate (m,) and cheap (m, levels) labels trained on, with owned ones and companions."""
        n_hi = dear + self.accurate.owned
        learnt = np.array([level.owned + level.limit > 0 for level in self.cheap], dtype=bool)
        n_lo = np.where(learnt, self._labels(dear, cheap), cheap) + self._owned
        return n_hi, n_lo

    @property
    def _owned(self) -> IntArray:
        return np.array([level.owned for level in self.cheap], np.int64)

    def standard_errors(self) -> FloatArray:
        """Return the error of all the money on accurate labels, trained on those alone, (n_draws,)."""
        alone = self.only_accurate()
        return alone.errors((0,) * len(self.cheap) + (alone.accurate.affordable(alone.money),))


def _arrays(bought: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Return accurate (1,) and cheap labels (1, levels) of a purchase."""
    return np.array(bought[-1:], np.int64), np.array([bought[:-1]], np.int64)


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
