"""The main function of a worker process: label what comes through the pipe, and say what it used."""

import faulthandler
import os
import pickle
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Thread
from time import monotonic

from ase import Atoms

from fidsel.exceptions import FidselError
from fidsel.fidelity.engine.boundary import error_of, label_or_error, warm_up
from fidsel.fidelity.engine.guard import start_guard
from fidsel.fidelity.engine.pins import pin
from fidsel.fidelity.engine.processes import (
    become_subreaper,
    descendants,
    end_strays,
    has_children,
    own_cpu,
    strays,
)
from fidsel.fidelity.engine.progress import LABELLING, SETTING_UP, WAITING, Progress, State
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.task import Usage
from fidsel.fidelity.engine.worker_log import cut_log, open_log, quote, size_of
from fidsel.fidelity.source import Label, LabelError, LabelSource

Item = tuple[int, bytes, Slot | None]
"""A label: the row of its source, its frame, pickled, and where its result is kept."""

Group = tuple[int, list[bytes], list[Item]]
"""Number of a group; its sources, pickled; its labels."""

PAGE, LOG, SCRATCH = "progress", "log", "tmp"
"""Names in a worker's folder."""

QUOTING = ("crashed", "failed", "environment")
"""Causes for which what was printed last may tell more."""


def serve(connection: Connection, folder: str, pins: Mapping[str, str]) -> None:
    """Label what comes through the pipe until it closes.

    Parameters
    ----------
    connection : groups of labels in, labels and errors out, one by one and in order.
    folder : the worker's own, with its page; its log and scratch files come beside it.
    pins : folders of modules, see `fidsel.fidelity.engine.pins`.
    """
    _arrange(Path(folder))
    pin(pins)
    with suppress(EOFError):
        _Server(connection, Path(folder)).run()


class _Server:
    """What a worker keeps between labels: which sources are warm, and what they started outside its group."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection, self.log, self.pid = connection, folder / LOG, os.getpid()
        self.page = Progress(folder / PAGE)
        self.warm: set[bytes] = set()
        self.kept: set[int] = set()
        self.fresh = True

    def run(self) -> None:
        """Label group after group."""
        self.page.write(State(0, 0, WAITING, monotonic()))
        while True:
            group: Group = self.connection.recv()
            number, sources, items = group
            for done, (row, frame, slot) in enumerate(items):
                outcome, usage = self._answer(State(number, done), sources[row], frame)
                if slot is not None and usage.wall >= slot.after:
                    _keep(slot, outcome, usage)
                self.page.write_usage(done, usage)
                self.page.write(State(number, done + 1, WAITING, monotonic()))
                self.connection.send_bytes(pickle.dumps(outcome))

    def _answer(self, at: State, source: bytes, frame: bytes) -> tuple[Label | LabelError, Usage]:
        before = 0.0 if self.fresh else own_cpu()
        printed = size_of(self.log)
        self.page.write(State(at.group, at.done, SETTING_UP, monotonic(), before, printed))
        outcome: Label | LabelError
        try:
            loaded, atoms = self._set_up(source, frame)
        except BaseException as error:  # isolation boundary: unpacking imports a user's module
            outcome, usage = error_of(error), Usage(setup=own_cpu() - before)
            if outcome.cause == "failed":  # what does not name its cause lies in the environment
                outcome = LabelError(str(outcome), cause="environment")
        else:
            since, cpu = monotonic(), own_cpu()
            setup = cpu - before if self.fresh or source_key(source) not in self.warm else 0.0
            self.warm.add(source_key(source))
            self.page.write(State(at.group, at.done, LABELLING, since, cpu, printed))
            outcome = self._labelled(loaded, atoms)
            usage = Usage(max(own_cpu() - cpu, 0.0), monotonic() - since, setup)
        self.fresh = False
        if isinstance(outcome, LabelError) and outcome.cause in QUOTING:
            _flush()
            outcome = LabelError(f"{outcome}{quote(self.log, printed)}", cause=outcome.cause)
        cut_log(self.log)
        return outcome, usage

    def _set_up(self, packed: bytes, frame: bytes) -> tuple[LabelSource, Atoms]:
        """Return a source that is warm, and what it is to label."""
        cold = source_key(packed) not in self.warm
        # what labels left behind counts as theirs, also where it leaves the group only during this set-up
        before = {one.pid for one in descendants()} if cold and has_children() else set()
        source: LabelSource = pickle.loads(packed)
        atoms: Atoms = pickle.loads(frame)
        if cold:
            warm_up(source, atoms)
            outside = {one.pid for one in strays()}
            self.kept = (self.kept & outside) | (outside - before)
        return source, atoms

    def _labelled(self, source: LabelSource, atoms: Atoms) -> Label | LabelError:
        try:
            outcome = label_or_error(source, atoms)
        except KeyboardInterrupt as error:  # nobody but the source can have raised it here
            outcome = error_of(error)
        if os.getpid() != self.pid:
            os._exit(70)  # a copy of this process that the source forked must not answer too
        end_strays(self.kept)
        return outcome


def _keep(slot: Slot, outcome: Label | LabelError, usage: Usage) -> None:
    """Write a result down that the driver may not live to hear of; where that fails it still hears."""
    try:
        slot.write(slot.packed(outcome, usage))
    except FidselError as error:
        print(error, flush=True)


def source_key(packed: bytes) -> bytes:
    """Return what tells sources apart."""
    return blake2b(packed, digest_size=16).digest()


def _arrange(folder: Path) -> None:
    """Make this process one that bothers nobody else: not the terminal, the driver's output, its memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The driver ends its workers; a handler, unlike SIG_IGN, is not inherited by the programs they start.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM])
    _die_with_driver(folder)
    become_subreaper()
    open_log(folder / LOG)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a program that reads a terminal from the background would be stopped
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable(all_threads=False)
    os.environ["TMPDIR"] = str(folder / SCRATCH)
    os.environ.setdefault("PSI_SCRATCH", str(folder / SCRATCH))  # Psi4 takes /tmp else
    tempfile.tempdir = None
    _go_first()


def _go_first() -> None:
    """Have the system end this process before the driver where memory is short, and write no core files."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a source may have replaced or closed it
            stream.flush()


def _die_with_driver(folder: Path) -> None:
    """Have this process and all it starts killed when the driver ends, however it ends.

    The pipe `parent.sentinel` closes with the driver. On Linux the kernel then sends SIGKILL to the
    group by itself, which also ends a C call that holds the interpreter lock (PR_SET_PDEATHSIG would
    spare the group, and fire when the driver's starting *thread* ends), and a guard sees to those that have
    left the group. Elsewhere a thread does it.
    """
    parent = parent_process()
    if parent is None:
        return
    sentinel: int = parent.sentinel
    os.setpgid(0, 0)
    if wait([sentinel], timeout=0):  # it has ended already, and its folders may be gone
        os.killpg(0, signal.SIGKILL)
    if sys.platform == "linux":
        import fcntl

        start_guard(sentinel, folder.parent)
        fcntl.fcntl(sentinel, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(sentinel, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(sentinel, fcntl.F_SETFL, fcntl.fcntl(sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    Thread(target=_kill_group_after, args=(sentinel,), daemon=True).start()


def _kill_group_after(sentinel: int) -> None:
    wait([sentinel])
    os.killpg(0, signal.SIGKILL)
