"""The local engine: worker processes in which one crashing or hanging label fails alone."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from fidsel.arguments import NonNegativeInt, PositiveInt, check_arguments
from fidsel.data.memory import memory_share
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.lasting import LastingEngine
from fidsel.fidelity.engine.processes import processes
from fidsel.fidelity.engine.task import Result, Task, Usage
from fidsel.fidelity.engine.watch import Watch
from fidsel.fidelity.engine.worker import VISIBLE, Worker

DEATHS = 5
"""Workers that may be killed in a row through no label of theirs, before the engine gives up."""
PATIENCE = 5.0
"""s between two looks at whether limits are still being held."""


class LocalEngine(LastingEngine):
    """Labels in processes of this machine.

    Processes start when first needed and are kept for the next run. A source that raises, crashes or
    passes a limit costs its own label only: the process is replaced and what else it was given goes to
    another. Each label has its own limits, also inside a group of short ones, and they start with it: the
    start of a worker, imports and the source's warm-up are measured apart.

    One process and one pipe per worker rather than a shared task queue: the driver then knows what a
    dead worker was labelling, without a race, and can kill the programs it has started. A thread looks at
    the limits, so that they hold while the driver stores labels; what a worker and its programs print, and
    their scratch files, lie in a folder of TMPDIR that goes with the engine. Labels may outlast the run that
    they were given to (see `Lasting`); limits hold for them too.

    Parameters
    ----------
    workers : labels at a time.
    threads_per_worker : cores one label may use; a task may ask for fewer.
    accelerators : GPUs that workers are shared out among, each sees one; 0 = all see all.

    Raises
    ------
    UsageError
        where workers × threads_per_worker exceeds the cores of this machine.

    Examples
    --------
    >>> with LocalEngine(workers=1) as engine:
    ...     list(engine.run([]))
    []
    """

    def __init__(self, workers: int, threads_per_worker: int = 1, accelerators: int = 0) -> None:
        cores = available_cores()
        if workers < 1 or threads_per_worker < 1:
            raise UsageError(
                f"workers and threads_per_worker must be ≥ 1, got {workers} and {threads_per_worker}"
            )
        if workers * threads_per_worker > cores:
            raise UsageError(
                f"workers × threads_per_worker must not exceed the {cores} cores this process may use, got "
                f"{workers} × {threads_per_worker}: at most {max(1, cores // threads_per_worker)} workers"
            )
        super().__init__(workers)
        self._threads = threads_per_worker
        self._cores, self._gpus = cores, gpus(accelerators)
        self._workers: list[Worker] = []
        self._watch: Watch | None = None
        self._made = 0
        self._scratch: Path | None = None

    def close(self) -> None:
        """End all workers at once, with what they are doing."""
        self._unwatch()
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
        self._again.clear()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _end(self) -> None:
        """End the tasks of a run, unless they are left to go on, and the workers that are of no more use."""
        for worker in self._workers:
            worker.late = worker.busy and (worker.late or self._leaving)
        if not any(worker.late for worker in self._workers):
            self._unwatch()
        for worker in [w for w in self._workers if w.stopped or not (w.usable or w.late)]:
            worker.stop()
            self._workers.remove(worker)

    def _under_way(self) -> Iterable[bool]:
        return [worker.late for worker in self._workers if worker.busy]

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _run(self, groups: Iterator[tuple[Task, ...]], rest: bool) -> Generator[Result, None, None]:
        watch = self._watch = self._watch or Watch(lambda: tuple(self._workers))
        deaths = 0
        while True:
            for worker in tuple(self._workers):
                for result in worker.results():
                    deaths = 0
                    yield result
                if worker.stopped:
                    self._workers.remove(worker)
                    self._again.extend([(worker.pending, worker.late)] if worker.busy else [])
                    deaths += worker.blameless
            if deaths > DEATHS:
                raise FidselError(
                    f"{deaths} worker processes in a row were killed before they began a label: something on "
                    "this machine ends them, often for want of memory; use fewer workers"
                )
            self._give(groups)
            if self._left(groups) or self._over(groups, rest):
                return
            while not wait([worker.connection for worker in self._workers if worker.busy], PATIENCE):
                watch.check()
                if self._leaving:  # as another thread asks for
                    break
            watch.check()

    def _give(self, groups: Iterator[tuple[Task, ...]]) -> None:
        """Send out groups while workers are free for them."""
        while sum(worker.busy for worker in self._workers) < self._count:
            chosen, late = self._again.popleft() if self._again else (next(groups, None), False)
            if chosen is None:
                return
            worker = self._worker(chosen[0].threads)
            worker.assign(chosen)
            worker.late = late

    def running(self) -> Mapping[str, Usage]:
        """Return what each label that has begun has used so far, by `Task.key`."""
        workers = [worker for worker in tuple(self._workers) if worker.busy]
        found: dict[str, Usage] = {}
        among = processes() if workers else {}
        for worker in workers:
            found |= worker.running(among)
        return found

    def _worker(self, threads: int) -> Worker:
        """Return an idle worker with that many threads; others make room for a new one."""
        if threads > self._threads:
            raise UsageError(
                f"a label asks for {threads} threads, workers have {self._threads}: set threads_per_worker"
            )
        idle = [worker for worker in self._workers if not worker.busy]
        for worker in idle:
            if worker.usable and worker.threads == threads:
                return worker
        if len(self._workers) >= self._count or not all(worker.usable for worker in idle):
            spent = next((w for w in idle if not w.usable), idle[0])
            spent.stop()
            self._workers.remove(spent)
        taken = [worker.gpu for worker in self._workers]
        self._workers.append(
            Worker(threads, self._folder(), self._cores, min(self._gpus, key=taken.count, default=None))
        )
        return self._workers[-1]

    def _folder(self) -> Path:
        """Return the name of a folder for a new worker."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="fidsel-"))
            # Also where nobody closes the engine.
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        self._made += 1
        return self._scratch / str(self._made)


@dataclass(frozen=True)
class Workers:
    """Worker processes on this machine.

    Parameters
    ----------
    workers : worker processes; by default all cores.
    trainings : trainings at a time (of the model, of the control arm, of members), each in a process of its
        own with its share of the cores; by default they run in the driver, one after the other.
    accelerators : GPUs of this machine; worker processes are shared out among them, each sees one.
    """

    workers: PositiveInt | None = None
    trainings: PositiveInt | None = None
    accelerators: NonNegativeInt = 0

    def __post_init__(self) -> None:
        check_arguments(self)

    def memory(self, threads: int) -> int:
        """Return the bytes that one label of so many threads may hold."""
        return memory_share(self._count(threads))

    def engine(self, threads: int, folder: Path, longest: float | None) -> LocalEngine:  # noqa: ARG002
        """Return an engine for labels of at most so many threads; it needs no folder and sets no limit."""
        return LocalEngine(self._count(threads), threads, self.accelerators)

    def training_engine(self, trainings: int, folder: Path) -> tuple[LocalEngine, int]:  # noqa: ARG002
        """Return an engine for so many trainings at a time, and the cores of each; it needs no folder."""
        threads = max(1, available_cores() // trainings)
        return LocalEngine(trainings, threads, self.accelerators), threads

    def _count(self, threads: int) -> int:
        return self.workers or max(1, available_cores() // threads)


def gpus(count: int) -> tuple[str, ...]:
    """Return the names of so many GPUs of this machine, of those that this process may see.

    Raises `UsageError` where it may see fewer.
    """
    visible = os.environ.get(VISIBLE)
    names = [str(number) for number in range(count)] if visible is None else visible.split(",")
    if len(names) < count:
        raise UsageError(f"accelerators must be at most those of {VISIBLE} = {visible!r}, got {count}")
    return tuple(names[:count])


def available_cores() -> int:
    """Return how many cores this process may use (its CPU affinity where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
