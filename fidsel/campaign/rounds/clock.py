"""Wall time of a round, which adds up over the processes that work on it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import perf_counter, time
from typing import Final, Literal, get_args

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import Elapsed, Stage
from fidsel.exceptions import FidselError

Part = Literal["labelling", "training", "measuring"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)


@contextmanager
def timed(journal: Journal, index: int, part: Part) -> Iterator[None]:
    """Add the time that a `with` block takes to a part of a round, also where the block is stopped."""
    here = replace(journal.read(Elapsed, index) or Elapsed(), part=part, since=time())
    journal.write(here, index)
    began = perf_counter()
    try:
        yield
    except BaseException:
        with suppress(FidselError):  # what stopped the block is told, as that the disk is full
            journal.write(here.after(perf_counter() - began), index)
        raise
    journal.write(here.after(perf_counter() - began), index)


def seconds_of(journal: Journal, index: int) -> Mapping[str, float]:
    """Return the s that each part of a round has taken, in their order."""
    found = (journal.read(Elapsed, index) or Elapsed()).seconds
    return {part: found[part] for part in PARTS if part in found}


def settle(journal: Journal, index: int, seen: float | None) -> None:
    """Add the time of a part of a round in which a process was killed, up to its last sign of life.

    Parameters
    ----------
    seen : Unix time of the last heartbeat of a process that died; None where none did.
    """
    found = journal.read(Elapsed, index)
    if found is None or not found.part:
        return
    began = journal.read(Stage)
    last = max(seen or 0.0, 0.0 if began is None else began.since)
    journal.write(found.after(max(0.0, last - found.since)), index)
