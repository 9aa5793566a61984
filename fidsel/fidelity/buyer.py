"""The work of a purchase: reserve, run, settle, until the budget refuses."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from math import inf, isnan
from time import monotonic

import numpy as np

from fidsel.data import Frames
from fidsel.errors import FidselError
from fidsel.fidelity.attempt import Attempt, Order
from fidsel.fidelity.ledger import Ledger
from fidsel.fidelity.offer import BATCH_SECONDS, BATCH_SIZE, Offers
from fidsel.fidelity.source import Label, LabelError
from fidsel.fidelity.task import Engine, Task

QUICK = 0.2
"""core-seconds: labels that take less are stored together, at most this many seconds late."""


@dataclass(frozen=True)
class PurchaseEvent:
    """A label arrived and is stored, or failed.

    Parameters
    ----------
    frame_id : which.
    error : why it failed; None where it is labelled.
    seconds : core-seconds it took.
    finished, total : labels that ended so far, of how many asked for and not owned.
    """

    frame_id: str
    error: str | None
    seconds: float
    finished: int
    total: int


class Buyer:
    """Buys labels of one fidelity for one account.

    Parameters
    ----------
    ledger : where costs and labels go.
    engine : what runs the labels.
    offers : what the budget allows.
    account : who pays.
    frames : configurations.
    predicted : core-seconds of each frame id, NaN = unknown.
    stop_on_refusal : leave all that follows the first frame the budget refuses.
    on_event : called for each label that ended, once it is stored.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        offers: Offers,
        frames: Frames,
        *,
        account: str,
        predicted: dict[str, float],
        stop_on_refusal: bool = True,
        on_event: Callable[[PurchaseEvent], None] | None = None,
    ) -> None:
        self.ledger, self.engine, self.offers, self.account = ledger, engine, offers, account
        self.fidelity, self.frames, self.predicted = offers.fidelity, frames, predicted
        self.stop_on_refusal, self.on_event = stop_on_refusal, on_event
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.refused: set[str] = set()
        self.cost = self.seconds = 0.0
        self._rows = {frame_id: row for row, frame_id in enumerate(frames.ids)}
        self._left: list[str] = []
        self._flying: dict[str, Attempt] = {}
        self._slow: set[str] = set()
        self._arrived: list[tuple[Attempt, Label | LabelError]] = []
        self._since, self._total, self._started, self._overrun = 0.0, 0, 0, False

    def buy(self, ids: Sequence[str]) -> None:
        """Buy labels in their order; `done`, `failed`, `refused`, `cost`, `seconds` say what came of it."""
        self._total, self._left = len(ids), list(ids)
        started = -1
        while self._left and started != self._started:
            started = self._started
            self._pass(self._left)
        self.refused.update(self._left)

    def _pass(self, ids: Sequence[str]) -> None:
        """Run labels until all are done or the budget refuses; `_left` is what it refused."""
        self._left = []
        try:
            with closing(self.engine.run(self._tasks(ids))) as results:
                for task, result, _ in results:
                    self._receive(task, result)
                self._store()
            if missing := len(self._flying):
                raise FidselError(
                    f"the engine ended without the results of {missing} tasks it had been given"
                )
        finally:
            self._close()

    def _tasks(self, ids: Sequence[str]) -> Iterator[Task]:
        """Yield tasks whose cost is reserved."""
        waiting = list(reversed(ids))
        while waiting:
            orders = self._orders(waiting)
            if orders:
                attempts = self.ledger.reserve(self.account, self.fidelity, orders, self.offers.budget)
                for attempt, order in zip(attempts, orders, strict=True):
                    if self._passed():
                        self.ledger.release([attempt])
                        self._left.append(attempt.frame_id)
                    else:
                        yield self._task(attempt, order.predicted)

    def _passed(self) -> bool:
        """Whether labels that ran past their limits have used up what was reserved for others."""
        if not self._overrun or self.offers.budget is None:
            return False
        return not self.offers.budget.pays(self.ledger.spent() + self.ledger.reserved())

    def _orders(self, waiting: list[str]) -> list[Order]:
        """Take from the end of `waiting` what can be ordered now; those short enough go together."""
        free = inf if self.offers.budget is None else self.ledger.remaining(self.offers.budget)
        orders: list[Order] = []
        seconds = 0.0
        while waiting and seconds < BATCH_SECONDS and len(orders) < BATCH_SIZE:
            frame_id = waiting.pop()
            expected = self.offers.seconds(self.predicted[frame_id])
            order = self.offers.order(frame_id, expected, free, len(waiting) + 1)
            if order is not None:
                orders.append(order)
                free -= order.cost
                seconds += BATCH_SECONDS if isnan(expected) else expected
                continue
            self._left.append(frame_id)
            if self.stop_on_refusal:
                self._left.extend(reversed(waiting))
                waiting.clear()
        return orders

    def _task(self, attempt: Attempt, predicted: float | None) -> Task:
        self._flying[attempt.frame_id] = attempt
        self._started += 1
        if predicted is None or predicted >= QUICK:
            self._slow.add(attempt.frame_id)
            self._store()
        atoms = self.frames[self._rows[attempt.frame_id]]
        limit, threads = attempt.time_limit, attempt.threads
        return Task(
            attempt.frame_id, atoms, self.fidelity.source, limit, predicted, threads,
            memory_limit=self.fidelity.memory_limit,
        )  # fmt: skip

    def _receive(self, task: Task, result: Label | LabelError) -> None:
        if not self._arrived:
            self._since = monotonic()
        if (declared := getattr(task.source, "seconds_per_label", 0.0)) > 0:
            result = copy(result)
            object.__setattr__(result, "seconds", declared)
        attempt = self._flying[task.frame_id]
        self._arrived.append((attempt, self._checked(attempt, task, result)))
        del self._flying[task.frame_id]
        self._slow.discard(task.frame_id)
        over = attempt.time_limit is not None and result.seconds > attempt.time_limit * attempt.threads
        self._overrun = self._overrun or over
        late = monotonic() - self._since >= QUICK or len(self._arrived) >= BATCH_SIZE
        if late or over or self._slow or result.seconds >= QUICK:
            self._store()

    def _checked(self, attempt: Attempt, task: Task, result: Label | LabelError) -> Label | LabelError:
        """Return the result, or the error it really is."""
        if not (0 <= result.seconds < inf):
            return LabelError(f"the source returned seconds = {result.seconds}; they must be ≥ 0")
        if isinstance(result, LabelError):
            own = self.fidelity.time_limit
            if result.cause == "timeout" and attempt.time_limit != own:
                text = f"stopped after {attempt.time_limit:.3g} s, the time that the budget could pay for"
                return LabelError(text, result.seconds, "cancelled")
            return result
        if not self.fidelity.forces:
            return replace(result, forces=None)
        shape = None if result.forces is None else np.shape(result.forces)
        if shape != task.atoms.positions.shape:
            wanted = f"{self.fidelity.name} declares forces of shape {task.atoms.positions.shape}"
            return LabelError(f"{wanted}, the source returned {shape or 'none'}", result.seconds)
        return result

    def _store(self) -> None:
        self.cost += self.ledger.settle_all(self._arrived)
        arrived, self._arrived = self._arrived, []
        for attempt, result in arrived:
            self._note(attempt.frame_id, result)

    def _note(self, frame_id: str, result: Label | LabelError) -> None:
        error = str(result) if isinstance(result, LabelError) else None
        self.seconds += result.seconds
        if not isinstance(result, LabelError):
            self.done.add(frame_id)
            self.offers.learn(result.seconds)
        elif result.cause == "cancelled":
            self._left.append(frame_id)
            self.predicted[frame_id] = 2 * result.seconds
        else:
            self.failed.add(frame_id)
        if self.on_event is not None:
            finished = len(self.done) + len(self.failed)
            self.on_event(PurchaseEvent(frame_id, error, result.seconds, finished, self._total))

    def _close(self) -> None:
        """Store what has arrived and close what has not, going by what the store says is open.

        An interrupt may have come between a commit and our own note of it.
        """
        under_way = {attempt.id: attempt for attempt in self.ledger.under_way()}
        arrived = [(attempt, result) for attempt, result in self._arrived if attempt.id in under_way]
        self._arrived = []
        self.cost += self.ledger.settle_all(arrived)
        for attempt, _ in arrived:
            del under_way[attempt.id]
        flying = [under_way.pop(a.id) for a in self._flying.values() if a.id in under_way]
        self.cost += self.ledger.cancel(flying)
        self.ledger.release(under_way.values())
        self._flying.clear()
        self._slow.clear()
