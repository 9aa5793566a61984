"""Labels of a campaign that other people compute: jobs for them, their results, and what will not come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fidsel.campaign.settings import Campaign
from fidsel.campaign.workspace import open_journal
from fidsel.exceptions import UsageError
from fidsel.fidelity.inbox.jobs import write_jobs
from fidsel.fidelity.inbox.results import Inbox
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import LabelError
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.quarantine import meant


@dataclass(frozen=True)
class Imported:
    """What came of results.

    Parameters
    ----------
    stored, awaited : labels that were stored, and that are awaited still, by the name of the level.
    known : results whose labels were there already.
    refused : why each of the others was not taken, those of frames that nobody asked for last.
    """

    stored: Mapping[str, int]
    awaited: Mapping[str, int]
    known: int
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Exported:
    """Jobs of a level that were written: the folder they are in, and how many."""

    folder: Path
    jobs: int


def export_labels(campaign: Campaign, out: Path) -> Mapping[str, Exported]:
    """Write a job for each label that other people are asked for; return what was written for each level.

    Reads the store alone: money is kept for these labels since the campaign has asked for them.

    Raises a `UsageError` where no level of the campaign is computed by other people.
    """
    levels = _levels(campaign)
    if not campaign.folder.store.exists():
        return {}
    written = {}
    with LabelStore(campaign.folder.store, read_only=True) as store:
        for level in levels:
            if asked := [one.frame_id for one in Ledger(store).awaited(level.key)]:
                frames = store.frames(asked)
                folder = write_jobs(out, campaign.folder.templates, level, frames)
                written[level.name] = Exported(folder, len(asked))
    return written


def import_labels(campaign: Campaign, paths: Sequence[Path], break_lock: bool = False) -> Imported:
    """Store the labels in files and folders of results that the campaign awaits.

    Each is paid as declared when it was asked for. Labels of a level whose signs or units are wrong are not
    taken, unless the campaign trusts its labels. Raises a `UsageError` where no level of the campaign is
    computed by other people or there is no such file, and a `FidselError` where another process drives the
    campaign.
    """
    levels = _levels(campaign)
    with open_journal(campaign, break_lock) as journal:
        inbox = Inbox(Ledger(journal.store), levels, campaign.rules.trust_labels)
        inbox.take(paths)
        left = awaited(journal.store, levels)
    return Imported(dict(inbox.stored), left, inbox.known, (*inbox.refused, *inbox.strangers))


def withdraw_labels(campaign: Campaign, frames: Sequence[str] | None, break_lock: bool = False) -> int:
    """Await some labels no longer, and give the money back that was kept for them; return how many.

    The campaign goes on without these frames; `retry_failed` has them asked for again.

    Raises a `UsageError` where no label of a frame is awaited, and a `FidselError` where another process
    drives the campaign.

    Parameters
    ----------
    frames : ids of frames, or their beginnings; None = all.
    """
    with open_journal(campaign, break_lock) as journal:
        ledger = Ledger(journal.store)
        asked = ledger.awaited()
        ids = [one.frame_id for one in asked]
        named = None if frames is None else meant(ids, frames, "no label of a frame {} is awaited")
        gone = [one for one in asked if named is None or one.frame_id in named]
        ledger.settle_all((one, LabelError("withdrawn: nobody computes it", cause="refused")) for one in gone)
        return len(gone)


def awaited(store: LabelStore, levels: Sequence[Fidelity]) -> dict[str, int]:
    """Return how many labels are awaited of other people, by the name of the level."""
    counts = {level.name: len(Ledger(store).awaited(level.key)) for level in levels}
    return {name: count for name, count in counts.items() if count}


def _levels(campaign: Campaign) -> list[Fidelity]:
    levels = [level for level in campaign.fidelities if level.outside]
    if not levels:
        kinds = 'kind = "inbox"'
        raise UsageError(
            f"no level of this campaign is computed by other people ({kinds} in its [[fidelity]])"
        )
    return levels
