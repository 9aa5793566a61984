"""How far a campaign has come inside its round: read from the store alone, also while a driver works."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import Levels, Sampled, Stage, label_stage
from fidsel.campaign.records.round import Allocation, HeldOut
from fidsel.fidelity.store.labels import FAILED, LabelStore


@dataclass(frozen=True)
class Step:
    """A part of the work before the next round is finished.

    Parameters
    ----------
    what : e.g. "validation labels of ccsd(t)".
    done, total : finished parts of all; a label that failed is finished.
    failed : of the finished ones.
    """

    what: str
    done: int
    total: int
    failed: int = 0

    def __str__(self) -> str:
        lost = f", {self.failed} failed" if self.failed else ""
        return f"{self.what}: {self.done}/{self.total}{lost}"


@dataclass(frozen=True)
class Progress:
    """What is done of the next round, and what is being done.

    Parameters
    ----------
    round : the round that is under way or next.
    steps : in the order of doing them, as far as they have been decided.
    stage : what a driver began last, "" where none ever did.
    since : Unix time of that.
    """

    round: int
    steps: tuple[Step, ...]
    stage: str = ""
    since: float = 0.0

    @property
    def step(self) -> Step | None:
        """The step that is being done; None where it is not one that is counted."""
        return next((step for step in self.steps if step.what == self.stage), None)

    @property
    def words(self) -> str:
        """The stage, since when, and how far it is; "" before anything began."""
        if not self.stage:
            return ""
        return f"{self.step or self.stage}, since {datetime.fromtimestamp(self.since):%H:%M:%S}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "round": self.round,
            "stage": self.stage,
            "since": self.since or None,
            "steps": [asdict(step) for step in self.steps],
        }


def read_progress(store: LabelStore, index: int) -> Progress:
    """Return how far the round after `index` finished ones has come."""
    journal = Journal(store)
    stage, levels = journal.read(Stage) or Stage(since=0.0), (journal.read(Levels) or Levels()).keys
    steps = [] if index else [_pool(journal)]
    if levels:
        steps += _labels(journal, index, levels)
    if stage.total and not any(step.what == stage.what for step in steps):
        paid = _paid(store, stage.account, levels.get(stage.level, ""))
        steps.append(Step(stage.what, min(paid, stage.total), stage.total))
    return Progress(index, tuple(steps), stage.what, stage.since)


def _pool(journal: Journal) -> Step:
    sampled = journal.read(Sampled)
    return Step(f"pool of {sampled.frames} configurations", 1, 1) if sampled else Step("pool", 0, 1)


def _labels(journal: Journal, index: int, levels: Mapping[str, str]) -> list[Step]:
    """Return the purchases that are decided; those of the held-out labels belong to round 0."""
    accurate, wanted = list(levels)[-1], list[tuple[str, str, Sequence[str]]]()
    held = None if index else journal.read(HeldOut)
    if held is not None:
        wanted += [("validation", accurate, held.validation), ("test", accurate, held.test)]
    wanted.append(("probe", accurate, journal.probes(index)))
    allocation = journal.read(Allocation, index)
    if allocation is not None:
        wanted += [("train", level, ids) for level, ids in allocation.cheap.items()]
        wanted.append(("train", accurate, allocation.accurate))
    known = {level: _ended(journal.store, key) for level, key in levels.items()}
    return [
        Step(
            label_stage(account, level),
            sum(frame in known[level] for frame in set(ids)),
            len(set(ids)),
            sum(not known[level].get(frame, True) for frame in set(ids)),
        )
        for account, level, ids in wanted
        if ids and level in known
    ]


def _ended(store: LabelStore, key: str) -> Mapping[str, bool]:
    """Return whether each frame that has been tried at a level, to the end, is labelled."""
    tried = store.query(f"SELECT DISTINCT frame_id FROM attempts WHERE key = ? AND status IN {FAILED}", [key])
    labelled = store.query("SELECT frame_id FROM labels WHERE key = ?", [key])
    return {row[0]: False for row in tried} | {row[0]: True for row in labelled}


def _paid(store: LabelStore, account: str, key: str) -> int:
    """Return how many frames an account has paid for at a level."""
    rows = store.query(
        """SELECT count(DISTINCT a.frame_id) FROM ledger l JOIN attempts a ON a.id = l.attempt
        WHERE l.account = ? AND a.key = ?""",
        [account, key],
    )
    return int(rows[0][0])
