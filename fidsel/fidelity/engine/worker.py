"""The driver's handle on a worker process: one pipe, one page of progress, labels reported one by one."""

import os
import pickle
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock
from time import monotonic
from uuid import uuid4

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.guard import MARK
from fidsel.fidelity.engine.limits import START_LIMIT, Seen, Stop, Tick, bounded, look, settled
from fidsel.fidelity.engine.pins import PINS
from fidsel.fidelity.engine.processes import Process, family, kill_family, kill_marked, process, processes
from fidsel.fidelity.engine.progress import LABELLING, SETTING_UP, STARTING, WAITING, Progress, State
from fidsel.fidelity.engine.serve import LOG, PAGE, SCRATCH, Item, serve
from fidsel.fidelity.engine.task import Result, Task, Usage
from fidsel.fidelity.engine.worker_log import cut_log, quote
from fidsel.fidelity.source import Label, LabelError

LARGEST_ANSWER = 1 << 30
"""Bytes; what claims to be longer is no answer."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENMM_CPU_THREADS",
)

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable that names the GPUs a process may see."""


@dataclass(frozen=True)
class Work:
    """The group of labels that a worker was given last: its number, its tasks, how many have come back."""

    number: int = 0
    tasks: tuple[Task, ...] = ()
    received: int = 0
    sent: float = 0.0


class Worker:
    """A process that labels, held by the driver.

    It leads a process group of its own, so that a terminal's Ctrl-C does not reach it, and stopping it also
    stops all programs it has started, wherever they have gone.

    Raises `FidselError` where the system starts no more processes.

    Parameters
    ----------
    threads : cores it may use; its numerical libraries see the number before they are loaded.
    folder : its own, made here and removed with it: its page, its log, its scratch files.
    cores : of this machine; no label can have used more.
    gpu : the one it sees; None = as this process.
    """

    def __init__(self, threads: int, folder: Path, cores: int, gpu: str | None = None) -> None:
        (folder / SCRATCH).mkdir(parents=True)
        self.threads, self.folder, self.cores, self.gpu = threads, folder, cores, gpu
        self.stopped = self.blameless = self.late = False
        self._page, self._work = Progress.create(folder / PAGE), Work()
        self._seen: dict[tuple[int, int], Seen] = {}
        self._stop: Stop | None = None
        self._lock, self._started, self._token = Lock(), monotonic(), uuid4().hex
        self._modules = (list(sys.path), dict(PINS))
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, str(folder), dict(PINS)), name="fidsel-worker", daemon=True
        )
        try:
            resource_tracker.ensure_running()  # which lets Ctrl-C through again once it has started
            variables = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {MARK: self._token}
            variables |= {} if gpu is None else {VISIBLE: gpu}
            with _environment(variables), _interrupts_held():
                self._process.start()
        except OSError as error:
            self.connection.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise FidselError(
                f"a worker process cannot be started ({error.strerror}): use fewer workers, or raise the "
                "limits on processes, open files and memory"
            ) from error
        finally:
            theirs.close()

    @property
    def busy(self) -> bool:
        """Whether it has been given labels that have not come back."""
        return self._work.received < len(self._work.tasks)

    @property
    def pending(self) -> tuple[Task, ...]:
        """Tasks that have not come back."""
        return self._work.tasks[self._work.received :]

    @property
    def usable(self) -> bool:
        """Whether it is alive and waiting, and finds the modules that the driver finds.

        Something to read from an idle worker can only be its end.
        """
        same = self._modules == (sys.path, PINS)
        return same and not (self.stopped or self.busy or self.connection.poll())

    def assign(self, group: Iterable[Task]) -> None:
        """Send the tasks it labels next, in order.

        Raises `UsageError` where a task cannot be sent to another process.
        """
        tasks = tuple(group)
        sources, items = packed(tasks)
        self._seen = {}
        self._work = Work(self._work.number + 1, tasks, 0, monotonic())
        with suppress(BrokenPipeError, ConnectionResetError):  # `results` reports its end
            self.connection.send((self._work.number, sources, items))

    def results(self) -> Iterator[Result]:
        """Yield what is there to be read, without waiting.

        After a crash, or a label past its limit, the worker is `stopped`, and `pending` holds the tasks that
        have yet to be labelled by another; `blameless` says that it died through no label of its own.

        Raises `FidselError` where the process ends of itself, or hangs, before it can take a task.
        """
        while self.busy and self.connection.poll():
            outcome = self._read()
            if outcome is None:
                yield from self._ended()
                return
            yield self._result(outcome, self._measured(self._work, self._work.received))

    def look(self, tick: Tick) -> None:
        """Hold the label in progress to its limits; called by the thread that watches.

        A label past a limit is ended with its worker; `results` then finds the worker's end.
        """
        cut_log(self.folder / LOG)
        work, state, me = self._work, self._page.read(), process(self._pid)
        if me is None or me.parent != os.getpid() or self._stop is not None:
            return
        if state.phase == STARTING:
            state = State(since=self._started)
        elif state.phase == WAITING or state.group != work.number or state.done >= len(work.tasks):
            return
        key = (state.group, state.done)
        seen = look(self._seen.get(key), state, me, tick.family(self._pid, state), tick)
        self._seen[key] = seen
        if key != (0, 0):
            error = seen.verdict(work.tasks[state.done], self.cores)
        else:
            late = f"a worker process did not start within {START_LIMIT:g} s"
            error = LabelError(late) if seen.unhindered > START_LIMIT else None
        if error is not None:
            with self._lock:
                if not self.stopped:
                    last = look(seen, state, me, family(self._pid, processes()), Tick(monotonic(), 0.0))
                    self._stop = Stop(state, error, last)
                    kill_family(self._pid)

    def running(self, among: Mapping[int, Process]) -> dict[str, Usage]:
        """Return what each label has used so far that has begun and not come back, by the key of its task.

        Parameters
        ----------
        among : the processes of this machine.
        """
        work, state = self._work, self._page.read()
        if state.group != work.number:
            return {}
        ended = range(work.received, min(state.done, len(work.tasks)))
        out = {work.tasks[i].key: self._measured(work, i) for i in ended}
        if state.phase == LABELLING and work.received <= state.done < len(work.tasks):
            seen = self._seen.get((state.group, state.done), Seen(state))
            used = sum(one.cpu for one in family(self._pid, among)) - state.cpu
            now = replace(seen, cpu=max(used, seen.cpu), until=monotonic())
            out[work.tasks[state.done].key] = now.usage(self.cores)
        return out

    def stop(self, died: bool = False) -> int | None:
        """Kill the process and all it has started; return its exit code.

        What it had started is not to be found by descent where it has `died` of itself.
        """
        with self._lock:
            if self.stopped:
                return self._process.exitcode
            self.stopped = True
            if self._process.is_alive():
                kill_family(self._pid)
            self._process.kill()
            self._process.join(10)
            if died:
                kill_marked(MARK, self._token)
            self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self._process.exitcode

    @property
    def _pid(self) -> int:
        return self._process.pid or 0

    def _read(self) -> Label | LabelError | None:
        """Return the next answer; None where there will be none, or it is cut off."""
        try:
            outcome = pickle.loads(self.connection.recv_bytes(LARGEST_ANSWER))
        except Exception:  # EOFError and OSError where it died; anything where it wrote nonsense
            return None
        return outcome if isinstance(outcome, (Label, LabelError)) else None

    def _result(self, outcome: Label | LabelError, usage: Usage) -> Result:
        work = self._work
        self._work = replace(work, received=work.received + 1)
        if isinstance(outcome, LabelError):
            outcome.seconds = usage.cpu
        else:
            outcome = replace(outcome, seconds=usage.cpu)
        return work.tasks[work.received], outcome, usage

    def _measured(self, work: Work, index: int) -> Usage:
        """Return what a label used: as its worker measured it, as far as the driver can believe it."""
        usage = settled(self._page.read_usage(index), self._seen.get((work.number, index)))
        now = monotonic()
        return bounded(usage, now - work.sent, now - self._started, self.cores)

    def _ended(self) -> Iterator[Result]:
        """Yield the label that the worker died of, if any."""
        wait([self._process.sentinel], timeout=5)  # so that the exit code is its own
        last, work, state = process(self._pid), self._work, self._page.read()
        words = quote(self.folder / LOG, state.printed)
        code = self.stop(died=True)
        in_hand = state.group == work.number and (
            state.done > work.received or state.phase in (SETTING_UP, LABELLING)
        )
        if self._stop is not None:
            if self._stop.state.group == 0:
                raise FidselError(str(self._stop.error))
            same = (self._stop.state.group, self._stop.state.done) == (work.number, work.received)
            self.blameless = not same
            if same:
                yield self._result(self._stop.error, self._stop.seen.usage(self.cores))
        elif in_hand:
            error = LabelError(f"the worker process died ({_how(code)}){words}", cause="crashed")
            yield self._result(error, self._used_by_the_dead(state, work, last))
        elif state.phase == STARTING and (code or 0) >= 0:
            raise FidselError(
                f"a worker process ended with exit code {code} before it took a label{words}. Its own "
                "message is above; a script that starts an engine needs `if __name__ == '__main__':` "
                "around it."
            )
        else:
            self.blameless = True

    def _used_by_the_dead(self, state: State, work: Work, last: Process | None) -> Usage:
        """Return what a label used that its worker died of: the system keeps its times for a while."""
        if state.done > work.received:  # it ended, and the worker died of telling
            return self._measured(work, work.received)
        seen = self._seen.get((state.group, state.done), Seen(state, until=monotonic()))
        if last is not None and last.parent == os.getpid():
            seen = replace(seen, cpu=max(seen.cpu, last.cpu - state.cpu))
        return seen.usage(self.cores)


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name}: killed by the system, which may be out of memory" if name == "SIGKILL" else name


def packed(tasks: Sequence[Task]) -> tuple[list[bytes], list[Item]]:
    """Return the sources of a group, each once, and the items of its tasks.

    Raises `UsageError` where a source or a frame cannot be sent to another process.
    """
    rows: dict[int, int] = {}
    sources: list[bytes] = []
    items = []
    for task in tasks:
        if id(task.source) not in rows:
            rows[id(task.source)] = len(sources)
            sources.append(_pickled(task.source, f"a source must, {type(task.source).__name__}"))
        frame = _pickled(task.atoms, f"a frame must, {task.frame_id}")
        items.append((rows[id(task.source)], frame, task.slot))
    return sources, items


def _pickled(what: object, name: str) -> bytes:
    try:
        return pickle.dumps(what)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        must, _, which = name.partition(", ")
        raise UsageError(
            f"{must} be picklable to be used in another process, {which} is not ({error}): define its class "
            "in a module and keep only settings in it"
        ) from error


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back in this thread; a process started meanwhile does too, until it asks for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
