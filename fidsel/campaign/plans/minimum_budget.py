"""The smallest budget that a campaign can do with, told before more than one label a level is bought."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, floor, isnan, log10
from typing import Self

from fidsel.campaign.settings import Campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.buying.outcome import stated_seconds
from fidsel.fidelity.buying.reservations import MARGIN
from fidsel.fidelity.level import Fidelity

FEWEST = 3
"""Accurate training labels below which no residual can be fitted and validated."""
USEFUL = 30
"""Accurate training labels that a first campaign can be told something by."""
SCATTER = 1.05
"""Factor by which labels to come may cost more than those measured."""


@dataclass(frozen=True)
class MinimumBudget:
    """What a campaign costs at the very least.

    Parameters
    ----------
    accurate : name of the accurate level.
    price : of one accurate label, base units.
    companion : of the cheap labels of the same frame.
    validation, training : accurate labels to buy.
    wasted : what was paid for in vain.
    headroom : what must be left beyond the price of the last label for it to be begun, see `MARGIN`.
    at_least : whether prices are lower bounds: a label was stopped before it ended, or none is bought yet.
    """

    accurate: str
    price: float
    companion: float
    validation: int
    training: int
    wasted: float = 0.0
    headroom: float = 0.0
    at_least: bool = False

    @classmethod
    def of(cls, campaign: Campaign, prices: Mapping[str, float], wasted: float = 0.0) -> Self:
        """Return it for a campaign whose labels cost so much, base units.

        Of prices that are measured `SCATTER` more is reckoned with.
        """
        rules, accurate = campaign.rules, campaign.accurate
        costs = {
            fidelity.name: prices[fidelity.name] * (1.0 if fidelity.price.declared else SCATTER)
            for fidelity in campaign.fidelities
        }
        known = accurate.price.declared or stated_seconds(accurate.source) is not None
        return cls(
            accurate.name,
            costs[accurate.name],
            sum(costs[fidelity.name] for fidelity in campaign.cheap),
            rules.validation,
            max(FEWEST, 0 if accurate.price.declared else rules.pilot, len(campaign.molecules)),
            wasted,
            headroom=0.0 if known else (MARGIN - 1) * costs[accurate.name],
        )

    @property
    def total(self) -> float:
        """The smallest budget, base units."""
        return self.with_training(self.training)

    def with_training(self, frames: int) -> float:
        """Return what validation and so many training frames take, base units."""
        fixed = self.wasted + self.headroom + self.validation * self.price
        return fixed + frames * (self.price + self.companion)

    def require(self, budget: Budget) -> None:
        """Raise a `UsageError`, see `refusal`, unless a budget pays for it."""
        if not budget.pays(self.total):
            raise self.refusal(budget)

    def refusal(self, budget: Budget) -> UsageError:
        """Return the error that says what the campaign takes and which settings could be changed."""
        least, useful = (shown_above(budget, self.with_training(n)) for n in (self.training, USEFUL))
        bound = "at least " if self.at_least else ""
        each = f": {bound}{budget.format(self.price)} for a label of {self.accurate}" if self.price else ""
        lost = f", and {budget.format(self.wasted)} are spent already" if self.wasted else ""
        raised = "well above" if self.at_least else "to"
        more = "" if self.at_least else f" (some {USEFUL} training labels would take {useful})"
        return UsageError(
            f"the budget of {budget} cannot pay for this campaign: {self.validation} validation labels and "
            f"at least {self.training} training labels of {self.accurate}, with the cheaper labels of the "
            f"same frames, take {bound}{least}{each}{lost}. Raise budget.total {raised} "
            f"that{more}{self._fewer(budget)}, or name a quicker accurate level than {self.accurate} "
            "(a smaller basis; mp2 or dft in place of coupled cluster)"
        )

    def summary(self, budget: Budget) -> str:
        """Return what the budget pays for, as a sentence."""
        frames = floor((budget.total - self.with_training(0)) / max(self.price + self.companion, 1e-300))
        most = "all" if self.price + self.companion == 0 else f"some {frames}"
        return (
            f"{budget} pay for {self.validation} validation and {most} training labels of {self.accurate}; "
            f"the least this campaign needs is {shown_above(budget, self.total)}"
        )

    def _fewer(self, budget: Budget) -> str:
        """Return how few validation labels the budget would pay for, "" where that does not help."""
        money = budget.total - replace(self, validation=0).total
        fewer = floor(money / self.price) if self.price > 0 and not self.at_least else 0
        return f", lower campaign.validation to {fewer}" if fewer >= FEWEST else ""


def assumed_prices(
    campaign: Campaign, prices: Mapping[str, float], level: Fidelity, price: float
) -> dict[str, float]:
    """Return the prices of all levels where a label of one is taken to cost so much, base units.

    Levels are in the order of their prices: of those that are not measured yet, NaN in `prices`, a later one
    costs at least as much, and an earlier one is left out.
    """
    dearer = campaign.fidelities.index(level)
    unknown = {
        fidelity.name: price if row >= dearer else 0.0
        for row, fidelity in enumerate(campaign.fidelities)
        if isnan(prices[fidelity.name])
    }
    return {**prices, **unknown, level.name: price}


def highest_price(campaign: Campaign, prices: Mapping[str, float], level: Fidelity, wasted: float) -> float:
    """Return the price of a label of a level at which a campaign just takes its whole budget, base units.

    What a campaign takes is linear in that price. A label that costs more cannot be paid for often enough.

    Parameters
    ----------
    prices : of the levels, NaN where not measured yet.
    wasted : what was paid for in vain.
    """
    none, one = (
        MinimumBudget.of(campaign, assumed_prices(campaign, prices, level, price), wasted).total
        for price in (0.0, 1.0)
    )
    return (campaign.budget.total - none) / (one - none)


def shown_above(budget: Budget, amount: float) -> str:
    """Return an amount rounded up to three digits, in the unit of a budget: one that is enough if given.

    >>> shown_above(Budget.parse("20 core-min"), 6301.0)
    '106 core-min'
    """
    if amount <= 0:
        return budget.format(amount)
    size = budget.scale[0]
    digit = 10.0 ** (floor(log10(amount / size)) - 2)
    return budget.format(ceil(round(amount / size / digit, 9)) * digit * size)
