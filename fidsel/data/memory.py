"""How much memory there is, so that what cannot fit is refused before it is begun."""

import os
import resource
from pathlib import Path

from fidsel.errors import FidselError

CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of a container's memory, bytes; "max" where there is none."""


def available_memory() -> int:
    """Return the bytes that this process may still take: of the machine, its container and its own limits."""
    free = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    lines = _text("/proc/meminfo").splitlines()
    free += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    for limit, used in CGROUPS:
        if _text(limit).strip().isdigit() and _text(used).strip().isdigit():
            free.append(int(_text(limit)) - int(_text(used)))
    pages = _text("/proc/self/statm").split()
    for kind, column in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY and pages:
            free.append(soft - int(pages[column]) * os.sysconf("SC_PAGE_SIZE"))
    return max(min(free), 0)


def require_memory(needed: float, what: str, remedy: str) -> None:
    """Raise where something needs more bytes than are available.

    Parameters
    ----------
    needed : bytes.
    what : that needs them, plural.
    remedy : what to do instead.

    Raises
    ------
    FidselError
        saying both numbers.
    """
    if needed > (free := available_memory()):
        raise FidselError(
            f"{what} need {needed / 2**30:.3g} GiB of memory, and there are {free / 2**30:.3g} GiB: {remedy}"
        )


def _text(path: str) -> str:
    """Return what a file of the system says, nothing where it has none."""
    return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else ""
