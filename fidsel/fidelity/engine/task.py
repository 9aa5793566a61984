"""The contract of an engine: tasks in, labels out as they complete; and the engine of this process."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from ase import Atoms

from fidsel.fidelity.engine.boundary import error_of, label_or_error, warm_up
from fidsel.fidelity.engine.processes import collected_cpu
from fidsel.fidelity.source import Label, LabelError, LabelSource

if TYPE_CHECKING:
    from fidsel.fidelity.engine.spool import Slot


@dataclass(frozen=True, eq=False)
class Task:
    """One configuration to label.

    Parameters
    ----------
    frame_id : identity of the configuration.
    atoms : the configuration.
    source : what labels it.
    time_limit : s, wall time after the label has begun at which it is stopped; None = no limit. Where the
        system tells, time in which the machine had no core for it is left out.
    predicted : core-seconds it is expected to take; None = unknown.
    threads : cores it may use.
    cpu_limit : core-seconds of the label and all the programs it starts, after which it is stopped;
        None = no limit.
    memory_limit : bytes that the label and all the programs it starts may hold; None = no limit.
    pays_wall : whether all its wall time is paid, and therefore limited.
    key : tells it from other tasks of the same configuration, e.g. at another level; "" = `frame_id`.
    slot : where its result is kept until the driver has stored it; None = nowhere.
    """

    frame_id: str
    atoms: Atoms
    source: LabelSource
    time_limit: float | None = None
    predicted: float | None = None
    threads: int = 1
    cpu_limit: float | None = None
    memory_limit: int | None = None
    pays_wall: bool = False
    key: str = ""
    slot: "Slot | None" = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.key or self.frame_id)


@dataclass(frozen=True)
class Usage:
    """What a label used, as the engine measured it.

    Parameters
    ----------
    cpu : s, CPU time of the worker and all the programs it started while the label ran.
    wall : s on the monotonic clock that it ran; while the driver or the worker was suspended it did not.
    setup : s, CPU time of the worker's start, imports and warm-up, where this label was the first to
        need them; not part of `cpu`.
    host : where it runs or ran; "" = on this machine.
    """

    cpu: float = 0.0
    wall: float = 0.0
    setup: float = 0.0
    host: str = ""


Result = tuple[Task, Label | LabelError, Usage]


QUICK: Final = 0.2
"""core-seconds: labels predicted to take less are ordered, sent and stored together."""
GROUP_SECONDS: Final = 1.0
"""Predicted core-seconds of quick labels that are reserved in one transaction and sent out as one group."""


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
        """Yield every task with its label, or the error that took its place, and what it used."""
        ...

    def running(self) -> Mapping[str, Usage]:
        """Return what each label that has begun and not ended has used so far, by `Task.key`.

        Tasks that wait and workers that start are not in it. May be called from another thread, at any
        time.
        """
        ...


@runtime_checkable
class Lasting(Engine, Protocol):
    """An engine whose labels may outlast the run that they were given to.

    With any other engine a purchase waits for all its labels, whatever `close_at` says. Later runs yield,
    beside their own results, those of tasks that were left, as they come, but do not wait for them; what
    has come when such a run begins is yielded first. Closing a run, or an error in it, ends its own tasks
    alone.
    """

    def leave(self) -> None:
        """End the run in progress once its caller asks for the next result: what is under way goes on.

        To be called when no more tasks follow: what has not been pulled is pulled at once.
        """
        ...

    def rest(self) -> Generator[Result, None, None]:
        """Yield the results of tasks that were left, as they come, until none is under way."""
        ...


class InlineEngine:
    """Labels in this process, one after the other.

    For sources whose `label` is a mere look-up (`in_process = True`), and for debugging: limits cannot be
    held and a crash takes the driver along.
    """

    def __init__(self) -> None:
        self._begun: tuple[str, float, float] | None = None

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """Yield every task with its label or error and what it used; warming up is not charged."""
        warm: list[LabelSource] = []
        for task in tasks:
            cold = self._warmed(task, warm)
            self._begun = task.key, collected_cpu(), monotonic()
            try:
                outcome = cold or label_or_error(task.source, task.atoms)
                usage = self.running()[task.key]
            finally:
                self._begun = None
            object.__setattr__(outcome, "seconds", usage.cpu)
            yield task, outcome, usage

    def running(self) -> Mapping[str, Usage]:
        """Return what the label that has begun has used so far."""
        begun = self._begun
        if begun is None:
            return {}
        key, cpu, wall = begun
        return {key: Usage(max(collected_cpu() - cpu, 0.0), monotonic() - wall)}

    @staticmethod
    def _warmed(task: Task, warm: list[LabelSource]) -> LabelError | None:
        """Warm the source of a task, once in a run; return why it could not be."""
        if any(task.source is known for known in warm):
            return None
        try:
            warm_up(task.source, task.atoms)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # isolation boundary, as where it labels
            return error_of(error)
        warm.append(task.source)
        return None
