"""The work of a purchase: reserve, run, settle, until the budget refuses."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from math import fsum, inf, isnan
from time import monotonic

from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.fidelity.attempt import Attempt, Order
from fidsel.fidelity.buying.breaker import Breaker, RepeatedFailureError
from fidsel.fidelity.buying.late import Late, Quorum
from fidsel.fidelity.buying.outcome import PurchaseEvent, checked, past_budget, stated_seconds
from fidsel.fidelity.buying.reservations import BATCH_SIZE, Reservations
from fidsel.fidelity.engine.task import GROUP_SECONDS, QUICK, Engine, Lasting, Result, Task, Usage
from fidsel.fidelity.source import Cause, Label, LabelError
from fidsel.fidelity.store.failures import failed_frames
from fidsel.fidelity.store.harvest import harvest
from fidsel.fidelity.store.ledger import Ledger
from fidsel.fidelity.store.running import Running

LATE = 0.2
"""s: labels that take less core-seconds than `QUICK` are stored together, at most this late."""

ONCE_MORE: tuple[Cause, ...] = ("environment", "crashed")
"""Causes that may be gone a moment later: such a label is tried a second time."""

FRUITLESS = 3
"""Labels stopped at what the budget could pay for, with none finished, after which no more are begun for
now; and times in a row that this may happen before the purchase ends."""


class Buyer:
    """Buys labels of one fidelity for one account.

    Parameters
    ----------
    ledger : where costs and labels go.
    offers : what the budget allows.
    predicted : core-seconds of each frame id, NaN = unknown.
    late : labels that earlier purchases have left.
    quorum : what must have ended for the purchase to close.
    stop_on_refusal : leave all that follows the first frame the budget refuses.
    on_event : called for each label that ended, once it is stored.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        offers: Reservations,
        frames: Frames,
        *,
        account: str,
        predicted: dict[str, float],
        late: Late,
        quorum: Quorum,
        stop_on_refusal: bool = True,
        on_event: Callable[[PurchaseEvent], None] | None = None,
    ) -> None:
        self.ledger, self.engine, self.offers, self.account = ledger, engine, offers, account
        self.fidelity, self.frames, self.predicted = offers.fidelity, frames, predicted
        self.registry, self.quorum = late, quorum
        self.stop_on_refusal, self.on_event = stop_on_refusal, on_event
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self.refused: set[str] = set()
        self.cost = self.seconds = 0.0
        self.stopped = ""
        """Why labels that the budget might have paid for were not bought; "" where there are none."""
        self._left: list[str] = []
        self.flying: dict[str, Attempt] = {}
        self._slow: set[str] = set()
        self._arrived: list[tuple[Attempt, Label | LabelError]] = []
        self._breaker = Breaker(offers.proven)
        if not offers.proven:
            for failure in sorted(failed_frames(ledger.store, self.fidelity), key=lambda one: one.attempt):
                if not failure.again:
                    self._breaker.failed(failure.attempt, failure.cause, failure.error)
        self._stated = stated_seconds(self.fidelity.source)
        self._second: set[str] = set()
        self._cut_off: list[str] = []
        self._cuts: Counter[str] = Counter()
        self._setups: list[float] = []
        self._since, self._total, self._started = 0.0, 0, 0
        self._overrun = self._given = False
        self._short: set[int] = set()

    def buy(self, ids: Sequence[str]) -> None:
        """Buy labels in their order; `done`, `failed`, `refused`, `cost`, `seconds` say what came of it.

        Raises
        ------
        RepeatedFailureError
            where labels fail alike one after the other; what arrived is stored.
        """
        self._left = self.offers.sequence(
            {frame: self.predicted[frame] for frame in ids}, self._free, self.quorum
        )
        with self.registry.buying(self, frozenset(self.frames.ids)):
            self._slow.update(self.flying)
            self._total = len(ids) + len(self.flying)
            moves, fruitless = -1, 0
            while (self._left or not self._closed) and fruitless < FRUITLESS:
                if moves == self._moves:
                    if not self._refunded():
                        break
                    fruitless = 0
                moves, ended = self._moves, self._ended
                self._pass(self._left)
                fruitless = 0 if self._ended > ended else fruitless + 1
        self.refused.update(self._left)
        self.on_event = None
        if self._short and not self.done:
            self.stopped = (
                f"{len(self._short)} labels of {self.fidelity.name} were stopped at what the budget could "
                "pay for and none was finished: raise the budget, ask for fewer labels, or take a quicker "
                "level"
            )

    def _refunded(self) -> bool:
        """Wait for a label under way, of any purchase, where what is kept for these may pay for another.

        Much more is kept for a label than it is likely to cost, where that is measured.
        """
        if not self._left or self.offers.budget is None:
            return False
        first, most = self._left[0], self._free + self.ledger.reserved()
        pays = self.offers.order(first, self._expected(first), most, 1) is not None
        return pays and self.registry.refund()

    def _expected(self, frame_id: str) -> float:
        """Return the core-seconds to reckon with for a label; NaN where nothing is known."""
        return self._stated or self.offers.seconds(self.predicted[frame_id])

    @property
    def _free(self) -> float:
        """What of the budget is neither spent nor reserved."""
        return inf if self.offers.budget is None else self.ledger.remaining(self.offers.budget)

    @property
    def _ended(self) -> int:
        return len(self.done) + len(self.failed) + len(self._second)

    @property
    def _moves(self) -> int:
        return self._started + self._ended

    def usage(self) -> Mapping[int, float]:
        """Return the core-seconds of attempts that have begun and not arrived, by id."""
        return {number: one.seconds for number, one in self.running().items()}

    def running(self) -> Mapping[int, Running]:
        """Return what attempts that have begun and not arrived have used, by id."""
        flying, running = dict(self.flying), dict(self.engine.running())
        return {
            attempt.id: Running(self._clock(attempt, used), used.wall, used.host)
            for key, attempt in flying.items()
            if (used := running.get(key)) is not None
        }

    def late(self, result: Result) -> None:
        """Store a result that came after the purchase had closed."""
        self._receive(*result)
        self._store()

    @staticmethod
    def _clock(attempt: Attempt, usage: Usage) -> float:
        return attempt.price.seconds(usage, attempt.threads)

    def _pass(self, ids: Sequence[str]) -> None:
        """Run labels until enough are done or the budget refuses; `_left` is what it refused."""
        self._left, self._given = [], False
        keep: Collection[str] = set(self.flying)
        used: Mapping[int, float] = {}
        try:
            with closing(self._results(ids)) as results:
                try:
                    for result in results:
                        self._take(result)
                        if self._breaker.open:
                            break
                        self._leave()
                finally:
                    used = self.usage()
            self._store()
            self._left += self._cut_off
            self._cut_off.clear()
            if not self._breaker.open:
                if not self._closed:
                    raise FidselError(
                        f"the engine ended without the results of {len(self.flying)} tasks it had been given"
                    )
                keep = set(self.flying)
        finally:
            self.close(used, keep)
        if self._breaker.open:
            self._break()

    def _results(self, ids: Sequence[str]) -> Generator[Result, None, None]:
        yield from self.engine.run(self._tasks(ids))
        if not self._closed and isinstance(self.engine, Lasting):
            yield from self.engine.rest()

    def _take(self, result: Result) -> None:
        if result[0].key in self.flying:
            self._receive(*result)
        else:
            self.registry.receive(result)

    @property
    def _closed(self) -> bool:
        """Whether what is still under way need not be waited for."""
        if not self.flying:
            return True
        able = isinstance(self.engine, Lasting)
        return able and self.quorum.met([attempt.frame_id for attempt in self.flying.values()])

    def _leave(self) -> None:
        """End the run once all labels are given out and enough have ended."""
        if self._given and isinstance(self.engine, Lasting) and self._closed:
            self.engine.leave()

    def _break(self) -> None:
        """Let the frames that failed alike be tried once more another time, and raise."""
        again = self.ledger.try_again(self._breaker.alike) > 0
        cause, text = self._breaker.like
        raise RepeatedFailureError(self.fidelity.name, cause, len(self._breaker.alike), text, again)

    def _tasks(self, ids: Sequence[str]) -> Iterator[Task]:
        """Yield tasks whose cost is reserved; with the last one, or where none follows, the run may close."""
        waiting, short = list(reversed(ids)), len(self._short)
        while waiting or self._cut_off:
            waiting.extend(self._cut_off)
            self._cut_off.clear()
            if len(self._short) - short >= FRUITLESS and not self.done:
                self._left.extend(reversed(waiting))
                break
            orders = self._orders(waiting)
            if not orders:
                continue
            attempts = self.ledger.reserve(self.account, self.fidelity, orders, self.offers.budget)
            for attempt, order in zip(attempts, orders, strict=True):
                if self._passed():
                    self.ledger.release([attempt])
                    self._left.append(attempt.frame_id)
                    continue
                task = self._task(attempt, order.predicted)
                self._given = not waiting and attempt is attempts[-1]
                self._leave()
                yield task
        self._given = True
        self._leave()

    def _passed(self) -> bool:
        """Whether labels that ran past their limits have used up what was reserved for others."""
        if not self._overrun or self.offers.budget is None:
            return False
        return not self.offers.budget.pays(self.ledger.spent() + self.ledger.reserved())

    def _orders(self, waiting: list[str]) -> list[Order]:
        """Take from the end of `waiting` what can be ordered now; those short enough go together."""
        free, orders = self._free, list[Order]()
        seconds = 0.0
        while waiting and seconds < GROUP_SECONDS and len(orders) < BATCH_SIZE:
            frame_id = waiting.pop()
            expected = self._expected(frame_id)
            order = self.offers.order(frame_id, expected, free, len(waiting) + 1)
            if order is not None:
                orders.append(order)
                free -= order.cost
                seconds += GROUP_SECONDS if isnan(expected) else expected
                continue
            self._left.append(frame_id)
            if self.stop_on_refusal:
                self._left.extend(reversed(waiting))
                waiting.clear()
        return orders

    def _task(self, attempt: Attempt, predicted: float | None) -> Task:
        key = str(attempt.id)
        self.flying[key] = attempt
        self._started += 1
        if predicted is None or predicted >= QUICK:
            self._slow.add(key)
            self._store()
        return Task(
            attempt.frame_id,
            self.frames[int(self.frames.rows([attempt.frame_id])[0])],
            self.fidelity.source,
            attempt.time_limit,
            predicted,
            attempt.threads,
            attempt.cpu_limit,
            self.fidelity.memory_limit,
            attempt.price.per == "allocated-second",
            key,
            self.ledger.store.spool.slot(attempt, self.fidelity.key),
        )

    def _receive(self, task: Task, result: Label | LabelError, usage: Usage) -> None:
        if not self._arrived:
            self._since = monotonic()
        attempt = self.flying[task.key]
        seconds = self._seconds(attempt, result, usage)
        over = past_budget(attempt, self.fidelity.time_limit, usage)
        found = checked(self.fidelity, task, result, seconds, over)
        self._arrived.append((attempt, found))
        if not isinstance(found, LabelError):
            self._breaker.succeeded()
        elif found.cause != "cancelled":
            self._breaker.failed(attempt.id, found.cause, str(found))
        self._setups += [usage.setup] if usage.setup else []
        del self.flying[task.key]
        self._slow.discard(task.key)
        if over:
            self._overrun = True
            self._short.add(attempt.id)
        late = monotonic() - self._since >= LATE or len(self._arrived) >= BATCH_SIZE
        if late or over or self._slow or seconds >= QUICK:
            self._store()

    def _seconds(self, attempt: Attempt, result: Label | LabelError, usage: Usage) -> float:
        """Return the core-seconds to charge for: measured, or what the source states a label takes."""
        if self._stated is None:
            return self._clock(attempt, usage)
        return 0.0 if isinstance(result, LabelError) and result.cause == "refused" else self._stated

    def _store(self) -> None:
        arrived = self._arrived
        again = {attempt.id for attempt, result in arrived if self._once_more(attempt, result)}
        self.cost += self.ledger.settle_all(arrived, again)
        self._arrived = []
        for attempt, result in arrived:
            self._note(attempt, result, attempt.id in again)

    def _once_more(self, attempt: Attempt, result: Label | LabelError) -> bool:
        """Whether a label failed and is tried a second time in this purchase."""
        failed = isinstance(result, LabelError) and result.cause in ONCE_MORE
        return failed and attempt.frame_id not in self._second

    def _note(self, attempt: Attempt, result: Label | LabelError, again: bool) -> None:
        frame_id = attempt.frame_id
        self.seconds += result.seconds
        if not isinstance(result, LabelError):
            self.done.add(frame_id)
            self.offers.learn(result.seconds)
        elif result.cause == "cancelled" and attempt.id in self._short:
            self._left.append(frame_id)
            self.offers.too_short(result.seconds)
        elif result.cause == "cancelled":
            self._cuts[frame_id] += 1
            (self._cut_off if self._cuts[frame_id] < FRUITLESS else self._left).append(frame_id)
        elif again:
            self._second.add(frame_id)
            self._left.append(frame_id)
        else:
            self.failed.add(frame_id)
        if self.on_event is not None:
            error = str(result) if isinstance(result, LabelError) else None
            finished = len(self.done) + len(self.failed)
            self.on_event(PurchaseEvent(frame_id, error, result.seconds, finished, self._total))

    def close(self, used: Mapping[int, float], keep: Collection[str] = ()) -> None:
        """Store what has arrived and close what has not, going by what the store says is open.

        An interrupt may have come between a commit and our own note of it.

        Parameters
        ----------
        used : core-seconds of the attempts that had begun, by id.
        keep : keys of the attempts that go on.
        """
        harvest(self.ledger, [attempt.id for key, attempt in self.flying.items() if key not in keep])
        under_way = {attempt.id: attempt for attempt in self.ledger.under_way()}
        arrived = [(attempt, result) for attempt, result in self._arrived if attempt.id in under_way]
        self._arrived = []
        again = {attempt.id for attempt, result in arrived if self._once_more(attempt, result)}
        self.cost += self.ledger.settle_all(arrived, again)
        for attempt, _ in arrived:
            del under_way[attempt.id]
        ended = [attempt for key, attempt in self.flying.items() if key not in keep]
        self.cost += self.ledger.cancel([under_way.pop(a.id) for a in ended if a.id in under_way], used)
        self.flying = {key: attempt for key, attempt in self.flying.items() if key in keep}
        self._slow.intersection_update(keep)
        going = self.registry.attempts
        self.ledger.release(attempt for number, attempt in under_way.items() if number not in going)
        if self._setups:
            self.ledger.charge("setup", *self._setup(), seconds=fsum(self._setups))
        self._setups.clear()

    def _setup(self) -> tuple[float, str]:
        """Return what the start of workers is worth, and words for it: a line beside the budget."""
        price, seconds = self.fidelity.price, fsum(self._setups)
        worth = 0.0 if price.per == "label" else price.cost(seconds)
        return worth, f"start of workers for {self.fidelity.name}"
