"""What a driver that died had finished: results on disk become labels in the store, paid as usual."""

import logging
from typing import Final

from fidsel.exceptions import FidselError
from fidsel.fidelity.attempt import Attempt
from fidsel.fidelity.engine.spool import Kept, read_kept
from fidsel.fidelity.source import Label, LabelError
from fidsel.fidelity.store.ledger import Ledger

LOG = logging.getLogger("fidsel.spool")

REFUSED: Final = ".refused"
"""Ends the name of a file that holds no result of this campaign."""


def harvest(ledger: Ledger) -> int:
    """Store the results that earlier drivers left, each as what its attempt brought; return how many.

    What is no result of an open attempt of this store is not used: its file is renamed, and the log says
    why.
    """
    known: _Open | None = None
    stored = 0
    for path in ledger.store.spool.left():
        known = known or _Open(ledger)
        try:
            found = known.result(read_kept(path))
        except FidselError as error:
            path.rename(path.with_name(path.name + REFUSED))
            LOG.warning("%s is left out: %s", path, error)
            continue
        if found is not None:
            ledger.settle_all([found])
            stored += 1
        path.unlink()
    if stored:
        LOG.info("%d labels that were finished when their driver ended are stored", stored)
    return stored


class _Open:
    """Attempts that are open, and what a result of theirs must fit."""

    def __init__(self, ledger: Ledger) -> None:
        self.store = ledger.store
        self.attempts = {attempt.id: attempt for attempt in ledger.under_way()}
        rows = self.store.query("SELECT id, frame_id, key, status FROM attempts")
        self.rows = {number: (frame, key, status) for number, frame, key, status in rows}

    def result(self, kept: Kept) -> tuple[Attempt, Label | LabelError] | None:
        """Return an open attempt and what came of it; None where its end is in the ledger already.

        Raises `FidselError` where the result is of another campaign, or does not fit its frame.
        """
        frame_id, key, status = self.rows.get(kept.attempt, ("", "", ""))
        if (frame_id, key) != (kept.frame_id, kept.level):
            raise FidselError(f"no attempt {kept.attempt} at frame {kept.frame_id} is in {self.store.path}")
        attempt = self.attempts.pop(kept.attempt, None)
        if attempt is None:
            if status != "done":
                raise FidselError(f"attempt {kept.attempt} was closed as {status!r} before it came")
            return None
        return attempt, self._charged(kept, attempt)

    def _charged(self, kept: Kept, attempt: Attempt) -> Label | LabelError:
        seconds, outcome = attempt.price.seconds(kept.usage, attempt.threads), kept.outcome
        if isinstance(outcome, LabelError):
            # which limit it was, its level's or its budget's, is not known any more: it may be tried again
            cause = "cancelled" if outcome.cause == "timeout" else outcome.cause
            return LabelError(str(outcome), seconds, cause)
        atoms = self.store.frames((kept.frame_id,))[0]
        if outcome.forces is not None and outcome.forces.shape != atoms.positions.shape:
            raise FidselError(f"forces of shape {outcome.forces.shape} for {len(atoms)} atoms")
        object.__setattr__(outcome, "seconds", seconds)
        return outcome
