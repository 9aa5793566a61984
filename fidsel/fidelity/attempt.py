"""Attempts at labels and the lines they leave in the ledger: values and their arithmetic."""

from dataclasses import dataclass
from typing import Final, Literal

from fidsel.fidelity.level import Price
from fidsel.fidelity.source import LabelError
from fidsel.fidelity.store import FAILED

Status = Literal["done", "failed", "timeout", "crashed", "lost", "cancelled", "released"]

UNFINISHED: Final = ("lost", "cancelled")
"""How an attempt ends that may be tried again."""


@dataclass(frozen=True)
class Order:
    """One label to reserve money for.

    Parameters
    ----------
    frame_id : which configuration.
    cost : what to reserve, in base units: the most that the attempt may come to cost.
    predicted : core-seconds; None = unknown.
    time_limit : s of wall time after which it is given up; None = no limit.
    """

    frame_id: str
    cost: float
    predicted: float | None = None
    time_limit: float | None = None


@dataclass(frozen=True)
class Attempt:
    """A label under way, its cost reserved.

    Parameters
    ----------
    id : row in the store.
    frame_id, account : which configuration, and who pays.
    price, threads, time_limit : as ordered.
    batch : how many attempts were opened together; they are taken to run one after the other.
    started : Unix time.
    """

    id: int
    frame_id: str
    account: str
    price: Price
    threads: int
    time_limit: float | None
    batch: int
    started: float

    def elapsed(self, until: float) -> float:
        """Return the core-seconds it can have taken: threads × (until − started) / batch ≤ its limit.

        >>> Attempt(1, "f", "train", Price(), 4, 10.0, 2, started=100.0).elapsed(until=106.0)
        12.0
        """
        wall = max(until - self.started, 0.0) / self.batch
        return self.threads * (wall if self.time_limit is None else min(wall, self.time_limit))

    def charge(self, status: Status, seconds: float) -> float:
        """Return what it costs, having ended so after `seconds` core-seconds.

        A price per label buys an attempt that ended, also in failure, since the same configuration
        would fail again; one that did not end (lost, cancelled) is free. A price per core-second buys
        time, whatever came of it.
        """
        unfinished = status in UNFINISHED and self.price.per == "label"
        return 0.0 if unfinished or status == "released" else self.price.cost(seconds)


@dataclass(frozen=True)
class Closing:
    """How an attempt ended: its status, core-seconds, the host it ran on if known, and why it failed."""

    attempt: Attempt
    status: Status
    seconds: float = 0.0
    host: str | None = None
    error: str | None = None

    @property
    def charge(self) -> float:
        """What it costs, in base units."""
        return self.attempt.charge(self.status, self.seconds)


def status_of(error: LabelError) -> Status:
    """Return the status of an attempt that ended in an error; other causes count as "failed"."""
    known: tuple[Status, ...] = ("failed", "timeout", "crashed", "lost", "cancelled")
    return next((status for status in known if status == error.cause), "failed")


@dataclass(frozen=True)
class Line:
    """A line of the ledger.

    Parameters
    ----------
    time : Unix time.
    account : who paid.
    kind : "label", "failed", "timeout" or "crashed" (an attempt that ended), "lost" or "cancelled" (one
        that did not), "shared" (a label another arm had bought; no money flowed) or "charge".
    amount : base units of the budget.
    seconds : core-seconds.
    frame_id, key : of the label; None for a charge.
    note : words.
    """

    time: float
    account: str
    kind: str
    amount: float
    seconds: float
    frame_id: str | None
    key: str | None
    note: str


@dataclass(frozen=True)
class Payment:
    """What was paid for the last attempt at a label that ended, and by which arms."""

    attempt: int
    amount: float
    seconds: float
    arms: frozenset[str]


ENDED: Final = ("label", *FAILED)
"""Kinds of ledger lines of attempts that ended."""
