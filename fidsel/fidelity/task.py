"""The contract of an engine: tasks in, labels out as they complete; and the engine of this process."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from time import process_time
from typing import Protocol

from ase import Atoms

from fidsel.fidelity.source import Label, LabelError, LabelSource


@dataclass(frozen=True, eq=False)
class Task:
    """One configuration to label.

    Parameters
    ----------
    frame_id : identity of the configuration.
    atoms : the configuration.
    source : what labels it.
    time_limit : s, wall time after which the engine gives it up; None = no limit.
    predicted : core-seconds it is expected to take; None = unknown.
    threads : cores it may use.
    """

    frame_id: str
    atoms: Atoms
    source: LabelSource
    time_limit: float | None = None
    predicted: float | None = None
    threads: int = 1


Result = tuple[Task, Label | LabelError]


class Engine(Protocol):
    """Runs label tasks, several at a time.

    Tasks are pulled one by one as slots open, never all at once: pulling a task is what reserves its
    cost. Results come in order of completion, each task exactly once; a task that fails, crashes or
    passes its time limit comes back as a `LabelError` and leaves the others alone. Closing the
    generator ends what still runs.
    """

    @property
    def workers(self) -> int:
        """How many tasks run at the same time."""
        ...

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield every task with its label, or with the error that took its place."""
        ...


@dataclass(frozen=True)
class InlineEngine:
    """Labels in this process, one after the other.

    For sources whose `label` is a mere look-up (`in_process = True`), and for debugging: a time limit
    cannot be held and a crash takes the driver along.
    """

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield every task with its label, or with the error that took its place."""
        for task in tasks:
            yield task, label_or_error(task)


def label_or_error(task: Task) -> Label | LabelError:
    """Return the label of a task, or why there is none; whatever a source raises stays with its task."""
    start = process_time()
    try:
        return task.source.label(task.atoms)
    except LabelError as error:
        return error
    except Exception as error:  # isolation boundary: a person's own source may raise anything
        return LabelError(f"{type(error).__name__}: {error}", process_time() - start)
