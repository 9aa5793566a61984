"""Identity of the process that holds a lock; a later process with the same pid has another one."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import time
from typing import Self

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessIdentity:
    """What identifies a process on a machine.

    Parameters
    ----------
    host, machine : host name, and machine id (/etc/machine-id) where the system has one.
    boot : id of the current boot, "" where unknown.
    space : PID namespace (a container has its own), "" where unknown.
    pid : process id.
    born : start time of the process, as the system writes it: differs where the pid was used again.
    since : Unix time at which it took the lock.
    """

    host: str
    machine: str
    boot: str
    space: str
    pid: int
    born: str
    since: float

    @classmethod
    def this(cls) -> Self:
        """Return the identity of this process."""
        pid = os.getpid()
        return cls(
            host=platform.node(),
            machine=_text(Path("/etc/machine-id")),
            boot=_text(PROC / "sys/kernel/random/boot_id"),
            space=_space(),
            pid=pid,
            born=birth(pid) or "",
            since=time(),
        )

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the identity written in a lock file; None where the text is none."""
        try:
            entries = json.loads(text)
        except ValueError:
            return None
        names = {field.name for field in fields(cls)}
        return cls(**entries) if isinstance(entries, Mapping) and set(entries) == names else None

    def text(self) -> str:
        """Return what `parse` reads."""
        return json.dumps(asdict(self))

    def is_same(self, here: "ProcessIdentity") -> bool:
        """Return whether it is the process that asks, whenever that took the lock."""
        return replace(self, since=here.since) == here

    def gone(self, here: "ProcessIdentity", fresh: bool) -> bool:
        """Return whether the process has certainly ended; False where that cannot be known.

        Parameters
        ----------
        here : the process that asks; only one on the same machine can know.
        fresh : whether the lock was refreshed a moment ago. Then its holder is running, and another boot id
            means another machine of the same name and machine id, not a restart of this one.
        """
        if (self.host, self.machine) != (here.host, here.machine):
            return False
        if self.boot != here.boot:
            return not fresh
        return self.space == here.space and birth(self.pid) != self.born


def birth(pid: int) -> str | None:
    """Return the start time of a process of this machine, as the system writes it; None where none runs."""
    if PROC.is_dir() and (PROC / "self/stat").is_file():
        stat = _text(PROC / str(pid) / "stat")
        if not stat:
            return None
        # the command name in brackets may hold blanks and brackets itself
        entries = stat.rpartition(")")[2].split()
        return None if entries[0] in "ZX" else entries[19]
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None


def _text(path: Path) -> str:
    """Return the text of a small system file, "" where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _space() -> str:
    try:
        return str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""
