"""`fidsel compare`: campaigns and their control arms beside each other, as a table and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fidsel.arguments import Bound
from fidsel.campaign.records.comparison import (
    Comparison,
    Strategy,
    Trace,
    campaign_trace,
    control_trace,
)
from fidsel.campaign.records.curves import headline, spend_label
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import Round
from fidsel.campaign.rounds.measure import error_unit
from fidsel.config.build import plain
from fidsel.config.recorded import recorded
from fidsel.data.path_name import path_name
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.report import Report
from fidsel.tracking.about import labels_words, strategy

WITHOUT = ("engine", "tracking", "budget")
"""Sections of the configuration that do not tell one way to pick and train from another."""


@dataclass(frozen=True)
class Compared:
    """A comparison and the units that it is told in.

    Parameters
    ----------
    budget : says in which unit spend is told.
    forces : whether errors are of forces, else of energies.
    """

    found: Comparison
    budget: Budget
    forces: bool

    @property
    def unit(self) -> str:
        """Unit of errors as they are told."""
        return f"m{error_unit(self.forces)}"

    @property
    def spend(self) -> str:
        """The equal spend in words."""
        return self.budget.format(self.found.spend)

    @property
    def error(self) -> str:
        """The equal error in words."""
        return f"{1000 * self.found.error:.3g} {self.unit}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per strategy, errors in `unit`, spend in the unit of the budget, time in s."""
        size, _ = self.budget.scale
        return [
            {
                "strategy": one.name,
                "seeds": len(one.traces),
                "extrapolated": one.extrapolated,
                "error": one.error_at(self.found.spend) * 1000.0,
                "spend": one.spend_at(self.found.error) * (1 / size),
                "labels": _mean_labels(one.traces),
                "seconds": sum(trace.seconds for trace in one.traces) / len(one.traces),
            }
            for one in self.found.strategies
        ]

    def report(self) -> Report:
        """Return the page of the comparison."""
        facts = []
        for row in self.rows():
            seeds = f" ({row['seeds']} seeds)" if row["seeds"] > 1 else ""
            words = (
                f"{row['error']} {self.unit} at {self.spend}; "
                f"{row['spend']} {self.budget.scale[1]} for {self.error}; "
                f"{labels_words(row['labels'])}"
            )
            facts.append((f"{row['strategy']}{seeds}", words))
        size, _ = self.budget.scale
        return Report(
            title="Campaigns compared",
            facts=tuple(facts),
            curves=tuple(one.curve(size) for one in self.found.strategies),
            spend=spend_label(self.budget),
            quantity=headline(self.forces),
            notes=self.notes(),
            unit=error_unit(self.forces),
        )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        found = [
            f"equal spend is the largest that all have spent, {self.spend}, equal error the lowest that all "
            f"have reached, {self.error}, unless they were told; between rounds, errors are interpolated; ≤ "
            "marks an error that was reached in round 0"
        ]
        if any(len(one.traces) > 1 for one in self.found.strategies):
            found.append(
                "means over seeds are geometric, intervals 90 % of Student's t, bands one standard error"
            )
        if any(len(one.traces) == 1 for one in self.found.strategies):
            found.append("one seed has no interval: run the campaign with other seeds to have one")
        if any(one.extrapolated for one in self.found.strategies):
            found.append("a dashed curve is extrapolated from few random labels, not measured")
        found += [
            f"{one.name} ends where the pool has no more labels, at what these cost"
            for one in self.found.strategies
            if any(trace.used_up for trace in one.traces)
        ]
        if any("random labels" in one.name for one in self.found.strategies):
            found.append("labels are all that were paid for, those for validation among them, of both arms")
        return tuple(found)


def compare(campaigns: Sequence[Path], spend: float | None = None, error: float | None = None) -> Compared:
    """Return campaigns and their control arms at equal spend and at equal error.

    Campaigns that differ in nothing but their seed are one strategy; what counts is what their last rounds
    ran with, which fidsel.toml need not say.

    Parameters
    ----------
    spend : in the unit of the first campaign's budget; None = the largest that all have spent.
    error : meV/Å, or meV of energies; None = the lowest that all have reached.

    Raises
    ------
    UsageError
        where a campaign has no finished round, the campaigns do not count the same, or two are one strategy
        with one seed.
    """
    for name, value in (("spend", spend), ("error", error)):
        if value is not None:
            Bound(gt=0).require(name, value)
    read = [_read(folder) for folder in campaigns]
    _refuse_repeated(read)
    budget, forces = read[0].budget, read[0].forces
    for one in read:
        if (one.budget.unit, one.forces) != (budget.unit, forces):
            raise UsageError(
                f"{one.folder} counts spend in {one.budget.unit}s and {headline(one.forces)}, "
                f"{read[0].folder} in {budget.unit}s and {headline(forces)}: compare campaigns that "
                "count the same"
            )
    size, _ = budget.scale
    found = Comparison.of(
        _strategies(read),
        None if spend is None else spend * size,
        None if error is None else error / 1000,
    )
    return Compared(found, budget, forces)


@dataclass(frozen=True)
class _Campaign:
    folder: Path
    config: Mapping[str, Any]  # Any: whatever TOML holds
    budget: Budget
    rounds: tuple[Round, ...]

    @property
    def forces(self) -> bool:
        return self.rounds[-1].metrics.force_mae is not None

    @property
    def key(self) -> str:
        """What campaigns have in common that differ in nothing but their seed."""
        kept = {name: part for name, part in self.config.items() if name not in WITHOUT}
        kept["campaign"] = {k: v for k, v in kept.get("campaign", {}).items() if k not in ("seed", "name")}
        return str(kept)


def _read(folder: Path) -> _Campaign:
    rounds, config = CampaignFolder(folder).read_rounds(), recorded(folder)
    if config is None:
        raise UsageError(
            f"no round of {folder} is finished, so there is none to compare: run `fidsel iterate`"
        )
    return _Campaign(folder, plain(config), config.budget.parsed(), rounds)


def _refuse_repeated(read: Sequence[_Campaign]) -> None:
    """Raise a `UsageError` where one run would count as several seeds, whose interval would be nothing."""
    known: dict[tuple[str, int], Path] = {}
    for one in read:
        seed = one.config["campaign"]["seed"]
        if (before := known.get((one.key, seed))) is not None:
            raise UsageError(
                f"{before} and {one.folder} are one strategy with one seed ({seed}), which says nothing of "
                "how seeds differ: leave one out, or run it with another campaign.seed"
            )
        known[one.key, seed] = one.folder


def _strategies(read: Sequence[_Campaign]) -> list[Strategy]:
    """Return the ways to pick and train, then the control arms, each once."""
    groups: dict[str, list[_Campaign]] = {}
    for one in read:
        groups.setdefault(one.key, []).append(one)
    names = [strategy(members[0].config) for members in groups.values()]
    found = []
    for name, members in zip(names, groups.values(), strict=True):
        folders = ", ".join(path_name(one.folder) for one in members)
        told = name if names.count(name) == 1 else f"{name} · {folders}"
        found.append(Strategy(told, tuple(campaign_trace(one.rounds) for one in members)))
    arms: dict[str, dict[int, Trace]] = {}
    for one in read:
        trace = control_trace(one.rounds)
        if trace is not None:
            kind = "extrapolated" if trace.extrapolated else "bought"
            model = one.config.get("model", {}).get("kind", "")
            same = arms.setdefault(f"random labels · {model} ({kind})", {})
            same[one.config["campaign"]["seed"]] = trace  # one seed draws the same labels in every campaign
    return [*found, *(Strategy(name, tuple(traces.values())) for name, traces in arms.items())]


def _mean_labels(traces: Sequence[Trace]) -> dict[str, int]:
    return {
        name: round(sum(trace.labels[name] for trace in traces) / len(traces)) for name in traces[0].labels
    }
