"""What engines share whose labels may outlast the run that they were given to."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Final, Self

from fidsel.exceptions import UsageError
from fidsel.fidelity.engine.task import GROUP_SECONDS, QUICK, Result, Task

GROUP_SIZE: Final = 200
"""Labels of a group at most."""


class LastingEngine(ABC):
    """An engine that runs groups of tasks, those of a run or those that were left (see `Lasting`).

    A subclass says how: `_run`, `_under_way`, `_end` and `close`.

    Parameters
    ----------
    workers : labels at a time.
    """

    def __init__(self, workers: int) -> None:
        self._count = workers
        self._again: deque[tuple[tuple[Task, ...], bool]] = deque()
        self._running = self._leaving = False

    @property
    def workers(self) -> int:
        """How many labels may run at the same time."""
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End all that runs, and give back what it runs on."""

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield every task with its label or error and what it used (see `Engine`).

        Those being labelled and at most one more have been pulled at any time; a group of labels below 0.2 s
        counts as one.

        Raises `UsageError` where a task asks for more threads than a worker has or cannot be sent to
        another process, or where another run of this engine has not ended; `FidselError` where nothing can
        run any more.
        """
        return self._results(tasks, rest=False)

    def rest(self) -> Generator[Result, None, None]:
        """Yield the results of tasks that were left (see `Lasting`)."""
        return self._results((), rest=True)

    def leave(self) -> None:
        """End the run in progress once its caller asks for the next result: what is under way goes on."""
        self._leaving = self._running

    def _results(self, tasks: Iterable[Task], rest: bool) -> Generator[Result, None, None]:
        if self._running:
            raise UsageError("this engine is already running tasks: finish or close that run first")
        self._running = True
        try:
            yield from self._run(group(tasks), rest)
        except BaseException:
            self._leaving = False
            raise
        finally:
            self._end()
            self._again = deque((tasks, True) for tasks, late in self._again if late or self._leaving)
            self._running = self._leaving = False

    @abstractmethod
    def _run(self, groups: Iterator[tuple[Task, ...]], rest: bool) -> Generator[Result, None, None]:
        """Yield results until the run is `_over`, or has been left and the next one is asked for."""

    @abstractmethod
    def _under_way(self) -> Iterable[bool]:
        """Return of each group under way whether it was left by an earlier run."""

    @abstractmethod
    def _end(self) -> None:
        """End the tasks of a run, unless they are left to go on."""

    def _left(self, groups: Iterator[tuple[Task, ...]]) -> bool:
        """Return whether the run is left; what has not been pulled of it is then pulled."""
        if self._leaving:
            self._again.extend((tasks, True) for tasks in groups)
        return self._leaving

    def _over(self, groups: Iterator[tuple[Task, ...]], rest: bool) -> bool:
        """Return whether a run has nothing more to wait for: its own tasks, or with `rest` all."""
        if any(rest or not late for late in (*self._under_way(), *(late for _, late in self._again))):
            return False
        chosen = next(groups, None)  # where all workers do what was left, no group has been asked for
        if chosen is not None:
            self._again.append((chosen, False))
        return chosen is None


def group(tasks: Iterable[Task]) -> Iterator[tuple[Task, ...]]:
    """Yield tasks one by one, but those predicted below 0.2 s in groups of about a second."""
    held: list[Task] = []
    for task in tasks:
        small = task.predicted is not None and task.predicted < QUICK
        if held and not (small and task.threads == held[0].threads):
            yield tuple(held)
            held = []
        held.append(task)
        if not small or len(held) == GROUP_SIZE or sum(t.predicted or 0 for t in held) >= GROUP_SECONDS:
            yield tuple(held)
            held = []
    if held:
        yield tuple(held)
