"""Processes of this machine: what a worker and all it has started use, and how they are ended."""

import os
import resource
import signal
import sys
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import process_time, sleep

PR_SET_CHILD_SUBREAPER = 36
"""Linux, <linux/prctl.h>."""
KILL_ROUNDS = 50
"""How often a family is looked through for processes that it started meanwhile."""

_PROC = Path("/proc")
_LINUX = sys.platform == "linux"
_TICK = os.sysconf("SC_CLK_TCK") if _LINUX else 1
_PAGE = os.sysconf("SC_PAGE_SIZE") if _LINUX else 1


@dataclass(frozen=True)
class Process:
    """A process at one moment.

    Parameters
    ----------
    pid, parent, group : its numbers.
    state : one letter as `ps` has it: T is stopped, Z has ended and waits to be collected.
    cpu : s, its CPU time and that of its children that have been collected.
    memory : bytes that it holds in memory; pages shared with others count in full.
    """

    pid: int
    parent: int
    group: int
    state: str
    cpu: float
    memory: int


def process(pid: int) -> Process | None:
    """Return a process; None where there is none of that number, or it may not be looked at."""
    if not _LINUX:
        return _by_psutil(pid)
    try:
        # The name, in brackets, may hold anything: the last bracket ends it.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    cpu = sum(map(int, fields[11:15])) / _TICK
    return Process(pid, int(fields[1]), int(fields[2]), fields[0].decode(), cpu, int(fields[21]) * _PAGE)


def processes() -> dict[int, Process]:
    """Return all processes that can be seen, by number."""
    if _LINUX:
        pids = [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]
    else:
        import psutil

        pids = psutil.pids()
    return {pid: found for pid in pids if (found := process(pid)) is not None}


def family(root: int, among: Mapping[int, Process]) -> list[Process]:
    """Return a process and all its descendants, itself first; none where it is not there."""
    children: dict[int, list[Process]] = {}
    for one in among.values():
        children.setdefault(one.parent, []).append(one)
    found = [among[root]] if root in among else []
    for one in found:  # grows while it is walked
        found.extend(children.get(one.pid, ()))
    return found


def shared_memory(pids: Iterable[int]) -> int:
    """Return the bytes that processes hold together, pages that they share counted once (slow)."""
    import psutil

    total = 0
    for pid in pids:
        with suppress(psutil.Error, OSError):
            full = psutil.Process(pid).memory_full_info()
            total += getattr(full, "pss", full.uss)
    return total


def kill_family(root: int) -> None:
    """Kill a process and all its descendants, those that left its group or session too.

    The root is stopped first: it then starts nothing new and, where it collects orphans, keeps them in
    the family until they are dead. A worker leads its process group, which is killed as a whole.
    """
    _send(root, signal.SIGSTOP)
    for _ in range(KILL_ROUNDS):
        alive = [one for one in family(root, processes())[1:] if one.state != "Z"]
        if not alive:
            break
        for one in alive:
            _send(one.pid, signal.SIGKILL)
        sleep(0.001)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(root, signal.SIGKILL)
    _send(root, signal.SIGKILL)


def kill_marked(variable: str, value: str) -> None:
    """Kill every process of ours whose environment, when it started, held `variable=value`.

    This finds what a worker had started after it has died itself. Where the system tells no
    environments nothing is found.
    """
    mark = f"{variable}={value}"
    for pid in (*processes(),):
        if pid != os.getpid() and mark in _environment(pid):
            _send(pid, signal.SIGKILL)


def _environment(pid: int) -> Iterable[str]:
    if _LINUX:
        try:
            return Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            return ()
    import psutil

    try:
        return [f"{name}={value}" for name, value in psutil.Process(pid).environ().items()]
    except (psutil.Error, OSError):
        return ()


def become_subreaper() -> None:
    """Have orphans among this process's descendants become its children (Linux), so that none gets lost."""
    if _LINUX:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def own_cpu() -> float:
    """Return the CPU time, s, of this process and all its descendants, living and collected."""
    used = collected_cpu()
    return used + sum(one.cpu for one in descendants()) if has_children() else used


def collected_cpu() -> float:
    """Return the CPU time, s, of this process and of those descendants that have ended and been collected."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime


def descendants(without: Container[int] = ()) -> list[Process]:
    """Return the descendants of this process.

    Parameters
    ----------
    without : numbers of processes that are left out, and their descendants with them.
    """
    others = {pid: one for pid, one in processes().items() if pid not in without}
    return family(os.getpid(), others)[1:]


def has_children() -> bool:
    """Return whether this process has children, ended ones that wait to be collected included."""
    if not hasattr(os, "waitid"):
        import psutil

        return bool(psutil.Process().children())
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def strays(kept: Container[int] = ()) -> list[Process]:
    """Return the living descendants of this process that left its process group.

    Parameters
    ----------
    kept : numbers of processes that do not count, nor do their descendants.
    """
    if not has_children():
        return []
    return [one for one in descendants(kept) if one.state != "Z" and one.group != os.getpgrp()]


def end_strays(kept: Container[int]) -> None:
    """Kill descendants of this process that left its process group, and collect all that have ended.

    Programs that stay in the group may be a source's set-up, which it keeps for its next label; they end
    with this process. One that leaves the group only after its label has ended is found at the next call.

    Parameters
    ----------
    kept : numbers of processes that are left alone, with their descendants.
    """
    for _ in range(KILL_ROUNDS):
        found = strays(kept)
        if not found:
            break
        for one in found:
            _send(one.pid, signal.SIGKILL)
        sleep(0.001)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _by_psutil(pid: int) -> Process | None:
    import psutil

    try:
        found = psutil.Process(pid)
        with found.oneshot():
            times, ended = found.cpu_times(), found.status() == psutil.STATUS_ZOMBIE
            cpu = times.user + times.system
            # whether one sleeps is not told on every system, so none is said to be at work
            state = {psutil.STATUS_STOPPED: "T"}.get(found.status(), "Z" if ended else "S")
            memory = 0 if ended else found.memory_info().rss
            return Process(pid, found.ppid(), os.getpgid(pid), state, cpu, memory)
    except (psutil.Error, OSError):
        return None
