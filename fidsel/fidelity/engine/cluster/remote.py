"""The engine of several machines: what a pilot program does with parcels of labels, as results."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from fidsel.data.atomic import make_folder
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.cluster.node import Parcel, read_note
from fidsel.fidelity.engine.lasting import LastingEngine
from fidsel.fidelity.engine.spool import Kept, read_kept, unpacked
from fidsel.fidelity.engine.task import Block, Result, Task, Usage
from fidsel.fidelity.source import LabelError

PATIENCE: Final = 2.0
"""s between two looks at whether the pilot still lives."""
LOSSES: Final = 3
"""Parcels per worker that may be lost in a row, none of their labels begun, before the engine gives up."""


class PilotError(FidselError):
    """The pilot cannot run anything: what the scheduler says, and what to do."""


class Pilot(Protocol):
    """What gets nodes from a scheduler and runs `node.label` there."""

    def submit(self, parcel: Parcel) -> "Future[list[str | None]]":
        """Have a parcel labelled; the future fails with `PilotError` where nothing can run any more."""
        ...

    def alive(self) -> bool:
        """Return whether it still works; if not, its futures may never be done."""
        ...

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks that run or wait."""
        ...

    def close(self) -> None:
        """Give all nodes back, with what runs on them."""
        ...


@dataclass
class Flight:
    """A parcel under way."""

    parcel: Parcel
    tasks: tuple[Task, ...]
    late: bool


class RemoteEngine(LastingEngine):
    """Labels on nodes that a pilot gets from a scheduler.

    Each label runs in a process of its own on its node, with the limits and clocks of `LocalEngine`, and its
    result is in its slot before it is reported. A label whose node or block ends under it comes back as
    "cancelled", with what it had used; those that had not begun are sent out again, and finished ones are
    read from their slots.

    Parameters
    ----------
    start : starts the pilot; called when the first task is there, and again where the pilot has died.
    workers : labels at a time, with all blocks that may be asked for.
    threads : cores one label may use.
    folder : seen by driver and nodes, for what they tell each other.
    walltime : s of a block in which labels can run; None = for ever.
    """

    def __init__(
        self,
        start: Callable[[], Pilot],
        workers: int,
        threads: int,
        folder: Path,
        walltime: float | None = None,
    ) -> None:
        super().__init__(workers)
        self._start, self._threads, self._walltime = start, threads, walltime
        self._folder = folder.absolute()
        self._pilot: Pilot | None = None
        self._flying: dict[Future[list[str | None]], Flight] = {}
        self._unwanted: dict[Future[list[str | None]], Parcel] = {}
        self._arrived: SimpleQueue[Future[list[str | None]]] = SimpleQueue()
        self._refused = False
        self._lost = 0
        self._fatal: PilotError | None = None

    def close(self) -> None:
        """Give all nodes back, with what is running on them."""
        if self._pilot is not None:
            self._pilot.close()
            self._pilot = None
        for parcel in (*(flight.parcel for flight in self._flying.values()), *self._unwanted.values()):
            _forget(parcel)
        self._flying.clear()
        self._unwanted.clear()
        self._again.clear()
        with suppress(OSError):  # not empty, or never made
            self._folder.rmdir()

    def running(self) -> Mapping[str, Usage]:
        """Return what each label that has begun has used when its node last told, by `Task.key`."""
        found: dict[str, Usage] = {}
        for flight in tuple(self._flying.values()):
            found |= read_note(flight.parcel.note)
        return found

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks that run or wait."""
        return () if self._pilot is None else self._pilot.blocks()

    def _run(self, groups: Iterator[tuple[Task, ...]], rest: bool) -> Generator[Result, None, None]:
        while True:
            while (future := self._next(0.0)) is not None:
                yield from self._landed(future)
            if self._fatal is None:
                yield from self._give(groups)
            elif not self._flying:
                error, self._fatal = self._fatal, None
                raise error
            if self._left(groups) or self._over(groups, rest):
                return
            future = self._next(PATIENCE)
            if future is not None:
                yield from self._landed(future)
            elif self._pilot is not None and not self._pilot.alive():
                yield from self._given_up()

    def _next(self, patience: float) -> "Future[list[str | None]] | None":
        try:
            return self._arrived.get(timeout=patience) if patience else self._arrived.get_nowait()
        except Empty:
            return None

    def _give(self, groups: Iterator[tuple[Task, ...]]) -> Iterator[Result]:
        """Send out groups while workers are free for them; yield those that no block is long enough for."""
        while len(self._flying) < self._count:
            chosen, late = self._chosen(groups)
            if chosen is None:
                return
            if (error := self._too_long(chosen[0])) is not None:
                yield chosen[0], error, Usage()
            else:
                self._send(chosen, late)

    def _chosen(self, groups: Iterator[tuple[Task, ...]]) -> tuple[tuple[Task, ...] | None, bool]:
        """Return what is sent out next: after labels for which a block had no time left, new ones first."""
        if self._again and not (self._refused and len(self._again) == 1):
            return self._again.popleft()
        self._refused = False
        new = next(groups, None)
        return self._again.popleft() if new is None and self._again else (new, False)

    def _too_long(self, task: Task) -> LabelError | None:
        if task.threads > self._threads:
            raise UsageError(f"a label asks for {task.threads} threads, workers have {self._threads}")
        seconds = (task.predicted or 0.0) / task.threads
        if self._walltime is None or seconds < self._walltime:
            return None
        return LabelError(
            f"predicted to take {seconds:.3g} s, blocks have {self._walltime:.3g} s: raise engine.walltime",
            cause="environment",
        )

    def _send(self, tasks: tuple[Task, ...], late: bool) -> None:
        if self._pilot is None:
            make_folder(self._folder)
            self._pilot = self._start()
        parcel = Parcel.of(tasks, self._threads, self._folder)
        future = self._pilot.submit(parcel)
        self._flying[future] = Flight(parcel, tasks, late)
        future.add_done_callback(self._arrived.put)

    def _landed(self, future: "Future[list[str | None]]") -> Iterator[Result]:
        """Yield the results of a parcel that is done, and send out again what was not begun."""
        if future in self._unwanted:
            _forget(self._unwanted.pop(future))
            return
        flight = self._flying.pop(future, None)
        if flight is None:
            return
        error = future.exception()
        if isinstance(error, PilotError):
            self._fatal = error  # raised once all parcels are back: some of their labels may be finished
        yield from self._settled(flight, None if error else future.result(), error)

    def _settled(
        self, flight: Flight, texts: list[str | None] | None, error: BaseException | None
    ) -> Iterator[Result]:
        """Yield the results of a parcel; with an `error` in place of them, what slots and notes tell."""
        lost, seen = texts is None, read_note(flight.parcel.note)
        texts = texts or [None] * len(flight.tasks)
        again = []
        for task, text in zip(flight.tasks, texts, strict=True):
            kept = _kept(task, text)
            if kept is not None:
                self._lost = 0
                yield _result(task, kept)
            elif lost and task.key in seen:
                self._lost = 0
                yield task, _cut_off(seen[task.key], error), seen[task.key]
            else:
                again.append(task)
        _forget(flight.parcel)
        if again:
            self._again.append((tuple(again), flight.late))
            self._refused = not lost
            self._count_loss(lost, error)

    def _count_loss(self, lost: bool, error: BaseException | None) -> None:
        self._lost += lost
        if self._lost > LOSSES * self._count:
            raise FidselError(
                f"{self._lost} parcels in a row were lost before a label of theirs began ({error}): see the "
                f"logs in {self._folder.parent}"
            )

    def _given_up(self) -> Iterator[Result]:
        """Close a pilot that died; yield what slots and notes tell of what it had."""
        if self._pilot is not None:
            self._pilot.close()
            self._pilot = None
        for future in tuple(self._unwanted):
            _forget(self._unwanted.pop(future))
        for future in tuple(self._flying):
            yield from self._settled(self._flying.pop(future), None, FidselError("the pilot program died"))

    def _under_way(self) -> Iterable[bool]:
        return [flight.late for flight in self._flying.values()]

    def _end(self) -> None:
        """End the tasks of a run, unless they are left to go on."""
        for future, flight in tuple(self._flying.items()):
            flight.late = flight.late or self._leaving
            if not flight.late:
                self._unwanted[future] = self._flying.pop(future).parcel
                with suppress(OSError):
                    flight.parcel.stop.touch()


def _forget(parcel: Parcel) -> None:
    for path in (parcel.note, parcel.stop):
        path.unlink(missing_ok=True)


def _kept(task: Task, text: str | None) -> Kept | None:
    """Return the result of a task that a node told of, or that is in its slot; None where there is none."""
    if text is not None:
        kept = unpacked(text)
    elif task.slot is not None and task.slot.path.exists():
        kept = read_kept(task.slot.path)
    else:
        return None
    if task.slot is not None and (kept.attempt, kept.level) != (task.slot.attempt, task.slot.level):
        raise FidselError(f"{task.slot.path} holds the result of another label, of attempt {kept.attempt}")
    return kept


def _result(task: Task, kept: Kept) -> Result:
    object.__setattr__(kept.outcome, "seconds", kept.usage.cpu)
    return task, kept.outcome, kept.usage


def _cut_off(usage: Usage, error: BaseException | None) -> LabelError:
    text = f"its node or block on {usage.host} ended before it ({error})"
    return LabelError(text, usage.cpu, "cancelled")
