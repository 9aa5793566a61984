"""Attempts at labels and the lines they leave in the ledger: values and their arithmetic."""

from dataclasses import dataclass
from typing import Final, Literal

from fidsel.fidelity.level import Price
from fidsel.fidelity.source import Cause

Status = Literal["done", "failed", "timeout", "crashed", "lost", "cancelled", "released"]

UNBILLED: Final[tuple[Cause, ...]] = ("environment", "refused", "invalid", "cancelled", "lost")
"""Causes for which a price per label bills nothing: no calculation of that frame came to its end."""


@dataclass(frozen=True)
class Order:
    """One label to reserve money for.

    Parameters
    ----------
    frame_id : which configuration.
    cost : what to reserve, in base units.
    predicted : core-seconds; None = unknown.
    time_limit : s of wall time after which it is given up; None = no limit.
    cpu_limit : core-seconds that the budget pays for, after which it is stopped; None = no limit.
    """

    frame_id: str
    cost: float
    predicted: float | None = None
    time_limit: float | None = None
    cpu_limit: float | None = None


@dataclass(frozen=True)
class Attempt:
    """A label under way, its cost reserved.

    Parameters
    ----------
    id : row in the store.
    frame_id, account : which configuration, and who pays.
    price, threads, time_limit, cpu_limit : as ordered.
    """

    id: int
    frame_id: str
    account: str
    price: Price
    threads: int
    time_limit: float | None = None
    cpu_limit: float | None = None

    def charge(self, cause: Cause | None, seconds: float) -> float:
        """Return what it costs, having ended after `seconds` core-seconds, in a label where `cause` is None.

        A price per label bills labels and calculations that failed, since the same configuration would
        fail again, but none of `UNBILLED`. A price per second bills time, whatever came of it.
        """
        unbilled = cause in UNBILLED and self.price.per == "label"
        return 0.0 if unbilled else self.price.cost(seconds)


@dataclass(frozen=True)
class Closing:
    """How an attempt ended.

    Parameters
    ----------
    attempt : which.
    cause : why there is no label; None where there is one.
    seconds : core-seconds it took, on the clock of its price.
    host : where it ran, if known.
    error : words on why there is no label.
    again : whether the same frame may be tried again without being asked to.
    released : it never started: nothing is charged, no line is written.
    """

    attempt: Attempt
    cause: Cause | None = None
    seconds: float = 0.0
    host: str | None = None
    error: str | None = None
    again: bool = False
    released: bool = False

    @property
    def status(self) -> Status:
        """How the attempt stands in the store: causes that are no status of their own count as failed."""
        if self.released or self.cause is None:
            return "released" if self.released else "done"
        known: tuple[Status, ...] = ("timeout", "crashed", "lost", "cancelled")
        return next((status for status in known if status == self.cause), "failed")

    @property
    def kind(self) -> str:
        """Kind of the ledger line that it leaves."""
        return "label" if self.status == "done" else self.status

    @property
    def charge(self) -> float:
        """What it costs, in base units."""
        return 0.0 if self.released else self.attempt.charge(self.cause, self.seconds)


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


ENDED: Final = ("label", "failed", "timeout", "crashed")
"""Kinds of ledger lines of attempts that ended."""
