"""The planner's answer: a frozen record that goes to and comes from JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast, get_args

from fidsel.arrays import html_table
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget, Unit
from fidsel.fidelity.planner.law import Interval

Basis = Literal["priors", "pilot"]


@dataclass(frozen=True)
class Split:
    """One way to spend a budget, and what it should bring.

    Parameters
    ----------
    bought : labels to ask for at each level, cheapest first; owned ones come on top.
    cost : of the budget, with what is already spent and the validation labels.
    relative : error over that of accurate labels alone bought with the whole budget, below 1 = better.
    error : in the unit of the measured points; None without points.
    wall : s, wall time of the training labels; None where a level's seconds per label are unknown.
    labels : of each level that this buys: more than is asked for where accurate frames have cheap labels,
        too. They are paid for once, and those of frames picked in later rounds are an expectation.
    """

    bought: tuple[int, ...]
    cost: float
    relative: Interval
    error: Interval | None = None
    wall: float | None = None
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.labels:
            object.__setattr__(self, "labels", self.bought)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Return the split that `dataclasses.asdict` made plain; earlier versions counted no `labels`."""
        error = record["error"]
        return cls(
            tuple(record["bought"]),
            record["cost"],
            Interval(*record["relative"]),
            None if error is None else Interval(*error),
            record["wall"],
            tuple(record.get("labels", ())),
        )


@dataclass(frozen=True)
class Scenario:
    """What would be bought if the budget or a price were another.

    Parameters
    ----------
    name : the change, e.g. "half the budget".
    split : the best split then (`relative` still compares with the plan's own budget and prices);
        None where it would not pay for the minimum.
    """

    name: str
    split: Split | None


@dataclass(frozen=True)
class UnbudgetedLabels:
    """Labels that the budget does not pay for.

    Parameters
    ----------
    what : e.g. "test labels".
    labels : how many.
    cost : of them, base units.
    wall : s, wall time; None where the seconds of a label are unknown.
    """

    what: str
    labels: int
    cost: float
    wall: float | None = None


@dataclass(frozen=True, repr=False)
class Plan:
    """How to spend a budget.

    Parameters
    ----------
    levels, prices, owned : name, price and labels already owned of each level, cheapest first.
    total, unit : the budget.
    fixed : of the budget, spent already or set aside for validation labels.
    validation : accurate labels to buy for validation.
    basis : "pilot" where measured points went in, else "priors".
    points : how many.
    recommended : the split with the lowest expected error.
    table : splits to compare it with, most accurate labels first; it is one of them. The first is accurate
        labels alone, for whose frames nothing is paid at cheap levels.
    pareto : the best split of smaller and larger budgets, by cost.
    scenarios : what another budget or price would change.
    workers : the wall times are for this many labels at a time.
    seed : of the law's draws.
    warnings : what a person should know before spending.
    companion : of the accurate price, what the cheap labels of the same frame take.
    beside : what is bought beside the budget.
    pilot : of what is bought, labels of each level that the plan was measured on; empty = none.
    assumed : what was taken for granted, a sentence each.
    """

    levels: tuple[str, ...]
    prices: tuple[float, ...]
    owned: tuple[int, ...]
    total: float
    unit: str
    fixed: float
    validation: int
    basis: Basis
    points: int
    recommended: Split
    table: tuple[Split, ...]
    pareto: tuple[Split, ...]
    scenarios: tuple[Scenario, ...]
    workers: int
    seed: int
    warnings: tuple[str, ...]
    companion: float = 0.0
    beside: tuple[UnbudgetedLabels, ...] = ()
    shown: str = ""
    pilot: tuple[int, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def budget(self) -> Budget:
        """What it spends."""
        return Budget(self.total, cast("Unit", self.unit), self.shown)

    @property
    def labelled(self) -> tuple[int, ...]:
        """Labels of each level that the pilot bought."""
        return self.pilot or (0,) * len(self.levels)

    def __repr__(self) -> str:
        basis = "other molecules" if self.basis == "priors" else f"{self.points} measured points"
        chosen, spread = self._bought(self.recommended), _spread(self.recommended.relative)
        return (
            f"Plan({self._amount(self.total)}: buy {chosen}; error {spread} of that of accurate labels "
            f"alone, by {basis})"
        )

    def _repr_html_(self) -> str:
        """Return a table for a notebook, the recommended split first."""
        columns = (*self.levels, "cost", "error, × accurate labels alone (90 %)", "wall time s")
        splits = (self.recommended, *(row for row in self.table if row != self.recommended))
        rows = [(*row.labels, self._amount(row.cost), _spread(row.relative), row.wall) for row in splits]
        return html_table(
            f"plan for {self._amount(self.total)}, the recommended split first", columns, rows, self.warnings
        )

    def _bought(self, split: Split) -> str:
        return " + ".join(f"{n} {name}" for n, name in zip(split.labels, self.levels, strict=True))

    @property
    def budget_words(self) -> str:
        """The budget with its unit."""
        return self._amount(self.total)

    def _amount(self, amount: float) -> str:
        """Return an amount in the unit of the budget, as it is where the plan names no unit."""
        if self.unit not in get_args(Unit):
            return f"{amount:.4g} {self.unit}".strip()
        return self.budget.format(amount)

    def to_json(self) -> str:
        """Return the plan as one JSON document."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that `to_json` wrote.

        Raises
        ------
        UsageError
            where the text is not such a document.
        """
        try:
            record = json.loads(text)
            for name in ("levels", "prices", "owned", "warnings"):
                record[name] = tuple(record[name])
            for name in ("pilot", "assumed"):
                record[name] = tuple(record.get(name, ()))
            for name in ("table", "pareto"):
                record[name] = tuple(Split.from_record(row) for row in record[name])
            record["recommended"] = Split.from_record(record["recommended"])
            record["scenarios"] = tuple(
                Scenario(row["name"], row["split"] and Split.from_record(row["split"]))
                for row in record["scenarios"]
            )
            record["beside"] = tuple(UnbudgetedLabels(**row) for row in record.get("beside", ()))
            return cls(**record)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"not a plan: {error}; write it again with `fidsel plan`") from error


def _spread(found: Interval) -> str:
    """Return a ratio with its 90 % interval."""
    return f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f})"
