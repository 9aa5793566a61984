"""Who holds a lock: a process that can be recognised again, and told from another of the same number."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from time import time
from typing import Self

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process on a machine.

    Parameters
    ----------
    host, machine : name of the machine, and its id where the system has one.
    boot : id of the machine's current start, "" where unknown.
    space : number space of its processes (a container has its own), "" where unknown.
    pid : number of the process.
    born : when the process started, as the system writes it; tells a recycled number apart.
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
        """Return the holder that this process is."""
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
        """Return the holder a lock file names; None where the text names none."""
        try:
            entries = json.loads(text)
        except ValueError:
            return None
        names = {field.name for field in fields(cls)}
        return cls(**entries) if isinstance(entries, Mapping) and set(entries) == names else None

    def text(self) -> str:
        """Return what `parse` reads."""
        return json.dumps(asdict(self))

    def gone(self, here: "ProcessIdentity", fresh: bool) -> bool:
        """Return whether it is sure that the process no longer runs.

        Parameters
        ----------
        here : the process that asks; only one on the same machine can be sure.
        fresh : whether the lock was refreshed a moment ago: then another start of "this" machine is
            another machine of the same name and id.
        """
        if (self.host, self.machine) != (here.host, here.machine):
            return False
        if self.boot != here.boot:
            return not fresh
        return self.space == here.space and birth(self.pid) != self.born


def birth(pid: int) -> str | None:
    """Return when a process of this machine started, as the system writes it; None where there is none."""
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
