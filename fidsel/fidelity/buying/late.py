"""Labels that a purchase has not waited for: who gets them when they come, and what they have used so far."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final, Self

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.task import Engine, Lasting, Result, Scheduled
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.running import Running

if TYPE_CHECKING:
    from fidsel.fidelity.buying.buyer import Buyer

ROUNDING: Final = 1e-9


class Late:
    """Labels under way after the purchase that ordered them has closed.

    Whichever purchase runs next stores those that have come, for the purchase they belong to; one that asks
    for the same frames, at the same level and for the same account, takes them over as its own. On the way
    out of the context all are waited for; on the way out of an exception, Ctrl-C among them, those that
    have come are stored and the others cancelled and charged what they used. The engine is to be closed
    after it, which ends them.

    Parameters
    ----------
    ledger : where costs and labels go; the store's heartbeat tells what they have used.
    engine : what runs them; one that is not `Lasting` leaves none.
    """

    def __init__(self, ledger: Ledger, engine: Engine) -> None:
        self.ledger, self.engine = ledger, engine
        self._owners: list[Buyer] = []
        self._buyer: Buyer | None = None
        self._came: set[str] = set()
        ledger.store.usage = self.running
        if isinstance(engine, Scheduled):
            ledger.store.blocks = engine.blocks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.collect()
            if kind is None:
                self.wait()
        finally:
            self.cancel()

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def attempts(self) -> frozenset[int]:
        """Ids of the attempts under way."""
        return frozenset(attempt.id for owner in self._owners for attempt in owner.flying.values())

    def frames(self, fidelity: Fidelity, account: str | None = None) -> frozenset[str]:
        """Return the frames under way at a level; of one account, or of all."""
        return frozenset(
            attempt.frame_id
            for owner in self._owners
            if owner.fidelity.key == fidelity.key and account in {None, owner.account}
            for attempt in owner.flying.values()
        )

    def usage(self) -> Mapping[int, float]:
        """Return the core-seconds of attempts that have begun and not arrived, by id."""
        return {number: one.seconds for number, one in self.running().items()}

    def running(self) -> Mapping[int, Running]:
        """Return what attempts that have begun and not arrived have used, by id."""
        return {number: one for owner in tuple(self._owners) for number, one in owner.running().items()}

    @contextmanager
    def buying(self, buyer: "Buyer", ids: Collection[str]) -> Iterator[None]:
        """While entered, a purchase of these frames goes on: what it has under way is known.

        It takes over those of the frames that were left at the same level and for the same account.
        """
        self._owners.append(buyer)
        self._buyer = buyer
        terms = buyer.fidelity.key, buyer.account
        for owner in self._owners[:-1]:
            if (owner.fidelity.key, owner.account) == terms:
                taken = {key: one for key, one in owner.flying.items() if one.frame_id in ids}
                buyer.flying |= taken
                owner.flying = {key: one for key, one in owner.flying.items() if key not in taken}
        try:
            yield
        finally:
            self._buyer = None
            self._forget()

    def receive(self, result: Result) -> None:
        """Store a result for the purchase it belongs to; what has been cancelled meanwhile is passed over."""
        for owner in self._owners:
            if result[0].key in owner.flying:
                owner.late(result)
                self._came.add(owner.fidelity.key)
        self._forget()

    def came(self) -> frozenset[str]:
        """Return the keys of levels of which labels have come late since this was last asked."""
        found, self._came = frozenset(self._came), set()
        return found

    def collect(self) -> None:
        """Store what has come, without waiting."""
        if self._owners and isinstance(self.engine, Lasting):
            with closing(self.engine.run(())) as results:
                for result in results:
                    self.receive(result)

    def wait(self, fidelity: Fidelity | None = None, ids: Collection[str] = ()) -> None:
        """Wait for the labels of some frames at a level; for all where none is named."""

        def left() -> bool:
            return bool(len(self) if fidelity is None else self.frames(fidelity).intersection(ids))

        if left() and isinstance(self.engine, Lasting):
            with closing(self.engine.rest()) as results:
                for result in results:
                    self.receive(result)
                    if not left():
                        self.engine.leave()
        if left():
            raise FidselError(f"the engine ended without the results of {len(self)} tasks that were left")

    def refund(self) -> bool:
        """Wait for one label that may cost less than is kept for it; return whether one has come."""

        def measured() -> int:
            flying = (attempt for owner in self._owners for attempt in owner.flying.values())
            return sum(not attempt.price.declared for attempt in flying)

        before = measured()
        if before and isinstance(self.engine, Lasting):
            with closing(self.engine.rest()) as results:
                for result in results:
                    self.receive(result)
                    if measured() < before:
                        self.engine.leave()
        return measured() < before

    def cancel(self) -> None:
        """Close what is under way, charged what it has used."""
        used = self.usage()
        for owner in self._owners:
            owner.close(used)
        self._forget()

    def _forget(self) -> None:
        self._owners = [owner for owner in self._owners if owner.flying or owner is self._buyer]


@dataclass(frozen=True)
class Quorum:
    """What must have ended for a purchase to close.

    Parameters
    ----------
    needed : frames that must have; the others are late, whether or not they have come. None = any.
    spare : frames that may be under way still, whichever they are, where `needed` is None.
    """

    needed: frozenset[str] | None
    spare: int = 0

    @classmethod
    def of(cls, fidelity: Fidelity, ids: Sequence[str], close_at: float) -> Self:
        """Return the rule for a purchase.

        With a declared price it goes by the order of the frames, so that what is late does not depend on
        how long labels take; else by their number.

        Raises `UsageError` where `close_at` is not in (0, 1].
        """
        if not 0 < close_at <= 1:
            raise UsageError(f"close_at is a fraction, above 0 and at most 1 (wait for all), got {close_at}")
        enough = ceil(close_at * len(ids) - ROUNDING)
        if fidelity.price.declared:
            return cls(frozenset(ids[:enough]))
        return cls(None, len(ids) - enough)

    def met(self, under_way: Collection[str]) -> bool:
        """Return whether a purchase with these frames under way, and no more to give out, may close."""
        return len(under_way) <= self.spare if self.needed is None else self.needed.isdisjoint(under_way)

    def late(self, ids: Iterable[str], under_way: Collection[str], refused: Collection[str]) -> set[str]:
        """Return which of the frames are left to a later purchase."""
        if self.needed is None:
            return set(under_way)
        return {frame for frame in ids if frame not in self.needed and frame not in refused}
