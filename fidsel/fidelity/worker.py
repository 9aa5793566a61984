"""A worker process and the driver's handle on it: one pipe, labels reported one by one."""

import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Thread
from time import monotonic

from fidsel.errors import FidselError, UsageError
from fidsel.fidelity.source import Label, LabelError
from fidsel.fidelity.task import Result, Task, Usage, label_or_error

START_LIMIT = 600.0
"""s, wall time a fresh worker may take to start; imports from a busy network disk are slow."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENMM_CPU_THREADS",
)
_BEGUN = b""


class Worker:
    """A process that labels, held by the driver.

    It leads a process group of its own, so that a terminal's Ctrl-C does not reach it and stopping it
    also stops the programs it has started.

    Parameters
    ----------
    threads : cores it may use; its numerical libraries see the number before they are loaded.

    Raises
    ------
    FidselError
        where the system starts no more processes.
    """

    def __init__(self, threads: int) -> None:
        context = get_context("spawn")
        self.threads = threads
        self.pending: deque[Task] = deque()
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), name="fidsel-worker", daemon=True)
        try:
            resource_tracker.ensure_running()  # which lets Ctrl-C through again once it has started
            with _environment(dict.fromkeys(THREAD_VARIABLES, str(threads))), _interrupts_held():
                self._process.start()
        except OSError as error:
            self.connection.close()
            raise FidselError(
                f"a worker process cannot be started ({error.strerror}): use fewer workers, or raise the "
                "limits on processes, open files and memory"
            ) from error
        finally:
            theirs.close()
        self._begun, self._since, self.stopped = False, monotonic(), False

    @property
    def usable(self) -> bool:
        """Whether it is alive and waiting; something to read from an idle worker can only be its end."""
        return not (self.stopped or self.pending or self.connection.poll())

    @property
    def deadline(self) -> float:
        """When, on the monotonic clock, the label in progress is given up; inf without a time limit."""
        limit = self.pending[0].time_limit if self._begun else START_LIMIT
        return self._since + (float("inf") if limit is None else limit)

    def assign(self, group: Iterable[Task]) -> None:
        """Send the tasks it labels next, in order.

        Raises
        ------
        UsageError
            where a task cannot be sent to another process.
        """
        tasks = tuple(group)
        packed = [_pack(task) for task in tasks]
        self.pending.extend(tasks)
        self._begun, self._since = False, monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):  # `results` reports its end
            self.connection.send(packed)

    def results(self) -> Iterator[Result]:
        """Yield what is there to be read, without waiting; then the label past its limit, if any.

        After a crash or a time-out the worker is `stopped`, and `pending` holds the tasks that have
        yet to be labelled by another.

        Raises
        ------
        FidselError
            where the process ends or hangs before it takes its first task.
        """
        try:
            while self.pending and self.connection.poll():
                answer = self.connection.recv_bytes()
                if answer == _BEGUN:
                    self._begun, self._since = True, monotonic()
                    continue
                outcome: Label | LabelError = pickle.loads(answer)
                usage = Usage(outcome.seconds, monotonic() - self._since)
                self._since = monotonic()
                yield self.pending.popleft(), outcome, usage
        except (EOFError, OSError):  # OSError: it died amid an answer
            yield self._crash()
        else:
            if self.pending and monotonic() >= self.deadline:
                yield self._time_out()

    def running(self) -> dict[str, Usage]:
        """Return what the label that has begun has used so far, by its frame; none where none has."""
        pending, since = tuple(self.pending), self._since
        if not (self._begun and pending):
            return {}
        wall = monotonic() - since
        return {pending[0].frame_id: Usage(wall * self.threads, wall)}

    def stop(self) -> int | None:
        """Kill the process and what it has started; return its exit code."""
        if not self.stopped:
            self.stopped = True
            if self._process.pid and os.name == "posix":
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.join(10)
            self.connection.close()
        return self._process.exitcode

    def _crash(self) -> Result:
        wait([self._process.sentinel], timeout=5)  # so that the exit code is its own
        seconds, code = self._elapsed(), self.stop()
        if not self._begun:
            raise FidselError(
                f"a worker process ended with exit code {code} before it took a label. Its own message is "
                "above; a script that starts an engine needs `if __name__ == '__main__':` around it."
            )
        cause = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        task = self.pending.popleft()
        usage = Usage(seconds, seconds / self.threads)
        return task, LabelError(f"the worker process died ({cause})", seconds, "crashed"), usage

    def _time_out(self) -> Result:
        seconds = self._elapsed()
        self.stop()
        if not self._begun:
            raise FidselError(f"a worker process did not start within {START_LIMIT:g} s")
        task = self.pending.popleft()
        message = f"no label within the time limit of {task.time_limit:g} s: raise time_limit or look at it"
        return task, LabelError(message, seconds, "timeout"), Usage(seconds, seconds / self.threads)

    def _elapsed(self) -> float:
        return (monotonic() - self._since) * self.threads


def serve(connection: Connection) -> None:
    """Label what comes through the pipe until it closes; the main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    _die_with_driver()
    os.dup2(2, 1)  # chemistry programs print; the driver's stdout stays its own
    with suppress(EOFError):
        while True:
            group: list[bytes] = connection.recv()
            connection.send_bytes(_BEGUN)
            for packed in group:
                connection.send_bytes(_answer(packed))


def _pack(task: Task) -> bytes:
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        name = type(task.source).__name__
        raise UsageError(
            f"a source must be picklable to be used in another process, {name} is not ({error}): define its "
            "class in a module and keep only settings in it"
        ) from error


def _answer(packed: bytes) -> bytes:
    try:
        outcome = label_or_error(pickle.loads(packed))
        if isinstance(outcome, LabelError):  # a subclass may not survive the pipe
            outcome = LabelError(str(outcome), outcome.seconds, outcome.cause)
        return pickle.dumps(outcome)
    except Exception as error:  # isolation boundary: unpacking imports a person's module
        return pickle.dumps(LabelError(f"{type(error).__name__}: {error}"))


def _die_with_driver() -> None:
    """Have this process and all it starts killed when the driver ends, however it ends.

    The pipe `parent.sentinel` closes with the driver. On Linux the kernel then sends SIGKILL to the
    group by itself, which also ends a C call that holds the interpreter lock (PR_SET_PDEATHSIG would
    spare the group, and fire when the driver's starting *thread* ends). Elsewhere a thread does it.
    """
    parent = parent_process()
    if parent is None or os.name != "posix":
        return
    sentinel: int = parent.sentinel
    os.setpgid(0, 0)
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    Thread(target=_kill_group_after, args=(sentinel,), daemon=True).start()


def _kill_group_after(sentinel: int) -> None:
    wait([sentinel])
    os.killpg(0, signal.SIGKILL)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back in this thread; a process started meanwhile does too, until it asks for it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
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
