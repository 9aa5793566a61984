"""Where a campaign stands, read from its folder alone, also while a process drives it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fidsel.campaign.edits import Pending
from fidsel.campaign.journal import Journal
from fidsel.campaign.progress import Progress, read_progress
from fidsel.campaign.records.best import best_round
from fidsel.campaign.records.decisions import End
from fidsel.campaign.records.end import ended_with
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import ControlArm, Round
from fidsel.campaign.records.work import Work, read_work
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.lock import Driver, read_driver


@dataclass(frozen=True)
class Summary:
    """Rounds, money and what to do next.

    Parameters
    ----------
    spent : of the budget, base units, purchases of a round under way included.
    accounts : money per account, base units.
    given : the budget that the last round ran with, where it is another one.
    edits : of fidsel.toml, that no round has begun with yet.
    progress : how far the next round has come; None before there is a store.
    driver : the process that works on it, None where none does.
    work : labels under way.
    end : why the campaign ends after its rounds, "" where it goes on.
    """

    folder: Path
    budget: Budget
    rounds: tuple[Round, ...]
    spent: float
    accounts: Mapping[str, float]
    progress: Progress | None = None
    driver: Driver | None = None
    work: Work = field(default_factory=Work)
    given: Budget | None = None
    edits: Pending = field(default_factory=Pending)
    end: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.end)

    @property
    def best(self) -> Round | None:
        """The round whose model to take, see `best_round`."""
        return best_round(self.rounds)

    @property
    def model(self) -> Path | None:
        """Folder of that round's model."""
        return None if self.best is None else CampaignFolder(self.folder).round(self.best.index) / "model"

    @property
    def state(self) -> str:
        """What has become of the campaign, in words."""
        begun = self.spent > 0 or (self.progress is not None and bool(self.progress.stage))
        if not self.rounds and not self.work.awaited:
            return "round 0 is under way" if begun else "not started"
        if self.finished:
            return self.end
        here = f"round {len(self.rounds)}"
        if self.driver and self.driver.alive:
            return f"{here} is under way"
        return f"{here} {'waits for labels of other people' if self.work.awaited else 'is next'}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": str(self.folder),
            "state": self.state,
            "finished": self.finished,
            "budget": _budget(self.budget),
            "budget_of_last_round": _budget(self.given or self.budget) if self.rounds else None,
            "spent": self.spent,
            "remaining": self.budget.total - self.spent,
            "accounts": dict(self.accounts),
            "rounds": [_row(record) for record in self.rounds],
            "best": None if self.best is None else _best(self.best, self.model),
            "progress": None if self.finished or self.progress is None else self.progress.to_dict(),
            "driver": None if self.driver is None else self.driver.words,
            "work": self.work.to_dict(),
            "edits": asdict(self.edits),
        }


def summarise(
    folder: Path,
    budget: Budget,
    given: Budget | None = None,
    edits: Pending | None = None,
    foreseen: str | None = None,
) -> Summary:
    """Return where a campaign stands.

    Raises a `FidselError` where its store or a round cannot be read.

    Parameters
    ----------
    given : the budget that its last round ran with.
    edits : that no round has begun with yet.
    foreseen : why the next run ends at once, "" where it does not (`fidsel.campaign.ending.foreseen`), for a
        campaign that no process drives; None = as the last run found.
    """
    home = CampaignFolder(folder)
    spent, accounts, progress, work = 0.0, {}, None, Work()
    rounds, driver = home.read_rounds(), read_driver(home.store)
    end = ended_with(rounds, None)
    if home.store.exists():
        with LabelStore(home.store, read_only=True) as store:
            ledger = Ledger(store)
            spent, accounts = ledger.spent(), dict(ledger.accounts())
            progress = read_progress(store, len(rounds))
            work = read_work(store, home.store, progress.since)
            end = ended_with(rounds, Journal(store).read(End))
    if foreseen is not None and not (driver and driver.alive):
        end = foreseen
    other = given if given != budget else None
    return Summary(
        folder, budget, rounds, spent, accounts, progress, driver, work, other, edits or Pending(), end
    )


def _budget(budget: Budget) -> dict[str, Any]:
    return {"total": budget.total, "unit": budget.unit}


def _best(record: Round, model: Path | None) -> dict[str, Any]:
    return {"round": record.index, "model": str(model), "validation": asdict(record.validation)}


def _row(record: Round) -> dict[str, Any]:
    return {
        "index": record.index,
        "picks": len(record.picks),
        "labels": dict(record.labels),
        "predicted_cost": record.predicted_cost,
        "cost": record.cost,
        "spent": record.spent,
        "seconds": dict(record.seconds),
        "force_mae": record.metrics.force_mae,
        "force_rmse": record.metrics.force_rmse,
        "energy_mae": record.metrics.energy_mae,
        "control": None if record.control is None else _control(record.control),
        "molecules": [asdict(row) for row in record.molecules],
        "checks": [dict(check) for check in record.checks],
        "notes": list(record.notes),
        "stop": record.stop,
    }


def _control(arm: ControlArm) -> dict[str, Any]:
    return {
        "kind": arm.kind,
        "basis": arm.basis,
        "extrapolated_from": arm.extrapolated_from,
        "labels": arm.labels,
        "error": arm.error,
        "low": arm.low,
        "high": arm.high,
        "saving": arm.saving.share,
        "saving_is_lower_bound": arm.saving.at_least,
        "saving_low": arm.saving.low,
        "saving_high": arm.saving.high,
        "saving_high_is_lower_bound": arm.saving.high_at_least,
        "saving_in_words": arm.saving.words,
    }
