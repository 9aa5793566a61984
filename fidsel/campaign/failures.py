"""What became of labels that a campaign has no use of: shown, tried again, released; and rejecting others."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fidsel.campaign.settings import Campaign
from fidsel.campaign.workspace import open_journal
from fidsel.exceptions import unknown
from fidsel.fidelity.store.failures import Failure, failed_frames, retry
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.quarantine import reject, release


@dataclass(frozen=True)
class LevelFailure:
    """A frame without a label to use at a level.

    Parameters
    ----------
    row : of the frame in the pool.
    """

    level: str
    row: int
    failure: Failure

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"level": self.level, "row": self.row, **asdict(self.failure)}


def failures_of(campaign: Campaign) -> tuple[LevelFailure, ...]:
    """Return all frames that failed or whose labels are set aside, level by level.

    Reads the store alone, also while another process drives the campaign; nothing where there is none.
    """
    if not campaign.folder.store.exists():
        return ()
    with LabelStore(campaign.folder.store, read_only=True) as store:
        row = {frame: i for i, (frame,) in enumerate(store.query("SELECT frame_id FROM frames ORDER BY seq"))}
        return tuple(
            LevelFailure(level.name, row[failure.frame_id], failure)
            for level in campaign.fidelities
            for failure in failed_frames(store, level)
        )


def retry_failed(campaign: Campaign, cause: str | None = None, break_lock: bool = False) -> int:
    """Let frames that failed be tried again when the campaign next wants them; return how many.

    Raises a `UsageError` where there is no such cause, and a `FidselError` where another process drives the
    campaign.
    """
    with open_journal(campaign, break_lock) as journal:
        return retry(journal.store, campaign.fidelities, cause)


def release_labels(campaign: Campaign, frames: Sequence[str] | None, break_lock: bool = False) -> int:
    """Let labels that were set aside be trained on; return how many.

    Raises a `UsageError` where no label of a frame is set aside, and a `FidselError` where another process
    drives the campaign.

    Parameters
    ----------
    frames : ids of frames, or their beginnings; None = all but those that a person rejected.
    """
    with open_journal(campaign, break_lock) as journal:
        return release(journal.store, campaign.fidelities, frames)


def reject_labels(
    campaign: Campaign,
    frames: Sequence[str],
    why: str,
    *,
    level: str | None = None,
    break_lock: bool = False,
) -> int:
    """Set labels aside that are known to be wrong, from the next round on; return how many.

    They are kept, with the reason, and paid; `release_labels` takes that back. A label that other people
    compute is replaced where `import_labels` finds another one of its frame.

    Raises a `UsageError` where there is no such level or label, a frame has labels of several levels and
    `level` does not say which, or the reason is empty, and a `FidselError` where another process drives the
    campaign.

    Parameters
    ----------
    frames : ids of frames, or their beginnings.
    level : name of the level; None = the only one that the frames have labels of.
    """
    named = {fidelity.name: fidelity for fidelity in campaign.fidelities}
    if level is not None and level not in named:
        raise unknown("level", level, named)
    with open_journal(campaign, break_lock) as journal:
        return reject(journal.store, list(named.values()) if level is None else [named[level]], frames, why)
