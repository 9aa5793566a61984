"""Budgets: how much may be spent, in which unit, and for which accounts."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal, Self

import numpy as np

from fidsel.exceptions import FidselError, UsageError, unknown

Unit = Literal["core-second", "gpu-second", "label"]

COUNTED: Final = ("train", "validation", "pilot", "probe")
"""Accounts that the budget pays for."""

BESIDE: Final = ("test", "control", "doctor", "training", "setup", "baseline", "check")
"""Accounts with ledger lines of their own, shown beside the budget and never refused."""

SPELLINGS: Final[dict[str, tuple[Unit, float]]] = {
    "core-s": ("core-second", 1.0),
    "core-min": ("core-second", 60.0),
    "core-h": ("core-second", 3600.0),
    "gpu-s": ("gpu-second", 1.0),
    "gpu-min": ("gpu-second", 60.0),
    "gpu-h": ("gpu-second", 3600.0),
    "label": ("label", 1.0),
    "labels": ("label", 1.0),
    "": ("label", 1.0),
}
"""What may follow the number of a budget, with the base unit it stands for and its size."""

TOLERANCE: Final = 1e-9
"""Fraction of a total that rounding may add to it."""


SMALLEST: Final = 1e-3
"""Least part of a unit that is shown in it: below, four digits say little."""


class BudgetError(FidselError):
    """A purchase would pass the budget.

    Parameters
    ----------
    budget : the budget.
    spent, reserved : what is gone and what is promised to labels in flight.
    cost : what was asked for.
    """

    def __init__(self, budget: "Budget", spent: float, reserved: float, cost: float) -> None:
        show = budget.format
        remaining = budget.total - spent - reserved
        super().__init__(
            f"a cost of {show(cost)} would pass the budget: of {budget}, {show(spent)} are spent and "
            f"{show(reserved)} reserved, left: {show(remaining)}; buy less or raise the budget"
        )
        self.budget, self.total, self.spent = budget, budget.total, spent
        self.reserved, self.cost, self.remaining = reserved, cost, remaining


@dataclass(frozen=True, repr=False)
class Budget:
    """How much may be spent.

    Parameters
    ----------
    total : in base units.
    unit : base unit: core-second, GPU-second, or the price of one accurate label.
    shown : unit that amounts are shown in, one of `SPELLINGS`; "" = one that suits the total. Budgets that
        differ in it alone are equal.

    Examples
    --------
    >>> Budget.parse("2core-h")
    Budget(2 core-h)
    >>> str(Budget.parse("75core-min")), str(Budget.parse("37.5")), Budget.parse("2core-h").format(90)
    ('75 core-min', '37.5 labels', '0.025 core-h')
    """

    total: float
    unit: Unit
    shown: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        units = sorted({unit for unit, _ in SPELLINGS.values()})
        if self.unit not in units:
            raise unknown("budget unit", self.unit, units)
        if not (np.isfinite(self.total) and self.total > 0):
            raise UsageError(f"a budget must be a positive number of {self.unit}s, got {self.total}")
        names = [name for name, (unit, _) in SPELLINGS.items() if name and unit == self.unit]
        if self.shown and self.shown not in names:
            raise unknown(f"unit for {self.unit}s", self.shown, names)

    @classmethod
    def parse(cls, written: str | float) -> Self:
        """Return the budget a person wrote: a number and a unit, e.g. "2core-h", "30 core-min", "250" or 250.

        Raises `UsageError` where there is no positive number or the unit is unknown.
        """
        text = str(written)
        match = re.fullmatch(r"\s*([-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|nan|inf))\s*([A-Za-z-]*)\s*", text)
        if match is None:
            raise UsageError(
                f"a budget is a number and a unit such as 2core-h, 30core-min or 250 (labels), got {text!r}"
            )
        try:
            number = float(match[1])
        except ValueError as error:
            raise UsageError(f"a budget starts with a number, got {match[1]!r} in {text!r}") from error
        if f"core-{match[2]}" in SPELLINGS:
            raise UsageError(f"time is that of CPU cores: write {match[1]}core-{match[2]}, got {text!r}")
        if match[2] not in SPELLINGS:
            raise unknown("budget unit", match[2], filter(None, SPELLINGS))
        unit, size = SPELLINGS[match[2]]
        return cls(number * size, unit, match[2])

    @property
    def scale(self) -> tuple[float, str]:
        """Size (base units) and name of the unit that amounts are shown in: the one that was written."""
        if self.unit == "label":
            return 1.0, "labels"
        if self.shown:
            return SPELLINGS[self.shown][1], self.shown
        kind = self.unit.removesuffix("-second")
        return next(
            (size, f"{kind}-{name}")
            for size, name, least in ((3600.0, "h", 360.0), (60.0, "min", 60.0), (1.0, "s", 0.0))
            if self.total >= least
        )

    def format(self, amount: float) -> str:
        """Return an amount of base units in the unit of the budget, to four digits.

        Only what is less than a thousandth of that unit is shown in a smaller one.

        >>> budget = Budget.parse("8 core-min")
        >>> budget.format(353.2), budget.format(0.02), str(budget)
        ('5.887 core-min', '0.02 core-s', '8 core-min')
        """
        size, name = self.scale
        if self.unit != "label" and 0 < abs(amount) < SMALLEST * size:
            smaller = [(one, text) for text, (unit, one) in SPELLINGS.items() if unit == self.unit]
            fitting = [row for row in smaller if row[0] < size and abs(amount) >= SMALLEST * row[0]]
            size, name = max(fitting, default=min(smaller))
        number = amount / size
        text = f"{number:.4g}" if abs(number) < 1e4 else f"{number:.0f}"
        return f"{text} {'label' if name == 'labels' and number == 1 else name}"

    def __str__(self) -> str:
        return self.format(self.total)

    def __repr__(self) -> str:
        return f"Budget({self})"

    def pays(self, amount: float) -> bool:
        """Return whether spending `amount` altogether stays within the total, up to rounding."""
        return amount <= self.total * (1 + TOLERANCE)


def counted(account: str) -> bool:
    """Return whether an account counts against the budget.

    >>> counted("train"), counted("test")
    (True, False)
    """
    if account in COUNTED:
        return True
    if account in BESIDE:
        return False
    raise unknown("account", account, COUNTED + BESIDE)


def arm(account: str) -> str:
    """Return the arm an account belongs to: all accounts of the budget are one."""
    return "budget" if counted(account) else account


def of_other_arms(account: str) -> tuple[str, ...]:
    """Return the accounts of all other arms.

    >>> "test" in of_other_arms("train"), "pilot" in of_other_arms("train")
    (True, False)
    """
    return tuple(other for other in COUNTED + BESIDE if arm(other) != arm(account))
