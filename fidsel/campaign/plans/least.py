"""The least budget that pays for a campaign at all, told before more than one label a level is bought."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Self

from fidsel.campaign.settings import Campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget

FEWEST = 3
"""Accurate training labels below which no residual can be fitted and validated."""
USEFUL = 30
"""Accurate training labels that a first campaign can be told something by."""
SCATTER = 1.05
"""Factor by which labels to come may cost more than those measured."""


@dataclass(frozen=True)
class Least:
    """What a campaign costs at the very least.

    Parameters
    ----------
    accurate : name of the accurate level.
    price : of one accurate label, base units.
    companion : of the cheap labels of the same frame.
    validation, training : accurate labels to buy.
    wasted : what was paid for in vain.
    """

    accurate: str
    price: float
    companion: float
    validation: int
    training: int
    wasted: float = 0.0

    @classmethod
    def of(cls, campaign: Campaign, prices: Mapping[str, float], wasted: float = 0.0) -> Self:
        """Return the least of a campaign whose labels cost so much, base units.

        Of prices that are measured `SCATTER` more is reckoned with.
        """
        rules, accurate = campaign.rules, campaign.accurate
        costs = {
            fidelity.name: prices[fidelity.name] * (1.0 if fidelity.price.declared else SCATTER)
            for fidelity in campaign.fidelities
        }
        return cls(
            accurate.name,
            costs[accurate.name],
            sum(costs[fidelity.name] for fidelity in campaign.cheap),
            rules.validation,
            FEWEST if accurate.price.declared else max(FEWEST, rules.pilot),
            wasted,
        )

    @property
    def total(self) -> float:
        """The least budget, base units."""
        return self.with_training(self.training)

    def with_training(self, frames: int) -> float:
        """Return what validation and so many training frames cost, base units."""
        return self.wasted + self.validation * self.price + frames * (self.price + self.companion)

    def require(self, budget: Budget) -> None:
        """Raise unless a budget pays for it.

        Raises
        ------
        UsageError
            with what it takes and the settings that could be changed.
        """
        if budget.pays(self.total):
            return
        least, useful = (shown_above(budget, self.with_training(n)) for n in (self.training, USEFUL))
        raise UsageError(
            f"the budget of {budget} cannot pay for this campaign: {self.validation} validation labels and "
            f"at least {self.training} training labels of {self.accurate}, with the cheaper labels of the "
            f"same frames, take {least}: {budget.format(self.price)} for a label of {self.accurate}"
            f"{self._lost(budget)}. Raise budget.total to that (some {USEFUL} training labels would take "
            f"{useful}){self._fewer(budget)}, or name a quicker accurate level than {self.accurate} (a "
            "smaller basis; mp2 or dft in place of coupled cluster)"
        )

    def told(self, budget: Budget) -> str:
        """Return what the budget pays for, in words."""
        frames = floor((budget.total - self.with_training(0)) / max(self.price + self.companion, 1e-300))
        most = "all" if self.price + self.companion == 0 else f"some {frames}"
        return (
            f"{budget} pay for {self.validation} validation and {most} training labels of {self.accurate}; "
            f"the least this campaign needs is {shown_above(budget, self.total)}"
        )

    def _lost(self, budget: Budget) -> str:
        return f", and {budget.format(self.wasted)} are spent already" if self.wasted else ""

    def _fewer(self, budget: Budget) -> str:
        """Return how few validation labels the budget would pay for, "" where that does not help."""
        money = budget.total - self.wasted - self.training * (self.price + self.companion)
        fewer = floor(money / self.price) if self.price > 0 else 0
        return f", lower campaign.validation to {fewer}" if fewer >= FEWEST else ""


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
