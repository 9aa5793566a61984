"""Where a campaign stands, read from its folder alone, also while a process drives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fidsel.campaign.folder import CampaignFolder
from fidsel.campaign.record import ControlArm, Round
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.ledger import Ledger
from fidsel.fidelity.store import LabelStore


@dataclass(frozen=True)
class Summary:
    """Rounds, money and what to do next.

    Parameters
    ----------
    folder : the campaign.
    budget : what may be spent.
    rounds : finished rounds.
    spent : of the budget, base units, purchases of a round under way included.
    accounts : money per account, base units.
    """

    folder: Path
    budget: Budget
    rounds: tuple[Round, ...]
    spent: float
    accounts: Mapping[str, float]

    @property
    def state(self) -> str:
        """What has become of the campaign, in words."""
        if not self.rounds:
            return "not started" if self.spent == 0 else "round 0 is under way"
        return self.rounds[-1].stop or f"round {len(self.rounds)} is next"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": str(self.folder),
            "state": self.state,
            "finished": bool(self.rounds and self.rounds[-1].stop),
            "budget": {"total": self.budget.total, "unit": self.budget.unit},
            "spent": self.spent,
            "remaining": self.budget.total - self.spent,
            "accounts": dict(self.accounts),
            "rounds": [_row(record) for record in self.rounds],
        }


def summarise(folder: Path, budget: Budget) -> Summary:
    """Return where a campaign stands.

    Raises
    ------
    FidselError
        where its store or a round cannot be read.
    """
    home = CampaignFolder(folder)
    spent, accounts = 0.0, {}
    if home.store.exists():
        with LabelStore(home.store, read_only=True) as store:
            ledger = Ledger(store)
            spent, accounts = ledger.spent(), dict(ledger.accounts())
    return Summary(folder, budget, home.read_rounds(), spent, accounts)


def _row(record: Round) -> dict[str, Any]:
    return {
        "index": record.index,
        "picks": len(record.picks),
        "labels": dict(record.labels),
        "predicted_cost": record.predicted_cost,
        "cost": record.cost,
        "spent": record.spent,
        "force_mae": record.metrics.force_mae,
        "force_rmse": record.metrics.force_rmse,
        "energy_mae": record.metrics.energy_mae,
        "control": None if record.control is None else _control(record.control),
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
    }
