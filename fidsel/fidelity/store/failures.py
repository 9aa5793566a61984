"""Frames that have no label to use: which, why, and what they have cost; and trying them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from fidsel.exceptions import unknown
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import Cause
from fidsel.fidelity.store.labels import FAILED, LabelStore
from fidsel.fidelity.store.ledger import Ledger

QUARANTINED: Final = "quarantined"
"""Stands for a cause where there is a label, but it is set aside."""


@dataclass(frozen=True)
class Failure:
    """A frame without a label to use.

    Parameters
    ----------
    frame_id : which.
    cause : of the last failure (see `LabelError`), or "quarantined".
    error : what the source said, or why the label is set aside.
    attempt : id of the last attempt.
    again : whether it is tried again when it is next wanted.
    cost : what all attempts at it have cost, base units.
    tries : how many of them failed.
    """

    frame_id: str
    cause: str
    error: str
    attempt: int
    again: bool
    cost: float
    tries: int


def failed_frames(store: LabelStore, fidelity: Fidelity) -> tuple[Failure, ...]:
    """Return every frame that failed at a level, or whose label is set aside, in order of insertion."""
    cost = """(SELECT total(g.amount) FROM ledger g JOIN attempts b ON b.id = g.attempt
        WHERE b.key = a.key AND b.frame_id = a.frame_id AND g.kind != 'shared')"""
    # SQLite takes the other columns from the row that has the maximum
    failed = store.query(
        f"""SELECT f.seq, f.frame_id, a.cause, a.error, max(a.id), a.retry, {cost}, count(*)
        FROM attempts a JOIN frames f USING (frame_id) WHERE a.key = ? AND a.status IN {FAILED}
        AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.key = a.key AND l.frame_id = a.frame_id)
        GROUP BY f.seq""",
        [fidelity.key],
    )
    aside = store.query(
        f"""SELECT f.seq, f.frame_id, '{QUARANTINED}', l.quarantine, a.id, 0, {cost}, 0
        FROM labels l JOIN frames f USING (frame_id) JOIN attempts a ON a.id = l.attempt
        WHERE l.key = ? AND l.quarantine != ''""",
        [fidelity.key],
    )
    return tuple(
        Failure(frame_id, cause, error, attempt, bool(retry), cost, tries)
        for _, frame_id, cause, error, attempt, retry, cost, tries in sorted([*failed, *aside])
    )


def with_failures(store: LabelStore, fidelity: Fidelity) -> float:
    """Return what was paid at a level over what its labels that can be used took, ≥ 1.

    So many times its own price a label costs in the end: attempts that gave none are paid for too.
    """
    ((paid, used),) = store.query(
        """SELECT total(g.amount), total(g.amount * (ifnull(l.quarantine, '') = '' AND l.attempt IS NOT NULL))
        FROM ledger g JOIN attempts a ON a.id = g.attempt LEFT JOIN labels l ON l.attempt = a.id
        WHERE a.key = ? AND g.kind != 'shared'""",
        [fidelity.key],
    )
    return float(paid / used) if used > 0 else 1.0


def retry(store: LabelStore, fidelities: Sequence[Fidelity], cause: str | None = None) -> int:
    """Let frames that failed be tried again when they are next wanted; return how many.

    Raises `UsageError` where there is no such cause.

    Parameters
    ----------
    cause : only those that failed for this cause; None = all.
    """
    if cause is not None and cause not in get_args(Cause):
        raise unknown("cause", cause, get_args(Cause))
    chosen = [
        failure.attempt
        for fidelity in fidelities
        for failure in failed_frames(store, fidelity)
        if failure.cause != QUARANTINED and not failure.again and cause in (None, failure.cause)
    ]
    return Ledger(store).try_again(chosen, asked=True)
