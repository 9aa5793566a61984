"""How much memory there is, so that what cannot fit is refused before it is begun."""

import os
import resource
from pathlib import Path
from typing import Final

from fidsel.exceptions import FidselError

MEMBERSHIP: Final = Path("/proc/self/cgroup")
"""Names the control groups that this process is in."""

CGROUPS: Final = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Where Linux keeps limits of containers and jobs, version 2, then version 1: the folder of all groups, a
group's files of its limit and use in bytes ("max" where there is no limit), and the row of memory.stat with
the part of the use that are copies of files, which give way."""

SHARE: Final = 0.9
"""Part of the machine's memory that labels may hold together; the driver needs some too."""


def machine_memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its container's or job's."""
    return min([_physical(), *(limit for limit, _ in _limits(MEMBERSHIP))])


def memory_share(workers: int) -> int:
    """Return the bytes that one of several labels may hold, so that together they do not fill the machine."""
    return int(SHARE * machine_memory() / workers)


def available_memory() -> int:
    """Return the bytes that this process may still take: of the machine, its container and its own limits."""
    free = [_physical()]
    lines = _text(Path("/proc/meminfo")).splitlines()
    free += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    free += [limit - used for limit, used in _limits(MEMBERSHIP)]
    pages = _text(Path("/proc/self/statm")).split()
    for kind, column in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY and pages:
            free.append(soft - int(pages[column]) * os.sysconf("SC_PAGE_SIZE"))
    return max(min(free), 0)


def require_memory(needed: float, what: str, remedy: str) -> None:
    """Raise where something needs more bytes than are available.

    Raises `FidselError` saying both numbers.

    Parameters
    ----------
    needed : bytes.
    what : that needs them, plural.
    remedy : what to do instead.
    """
    if needed > (free := available_memory()):
        raise FidselError(
            f"{what} need {needed / 2**30:.3g} GiB of memory, and there are {free / 2**30:.3g} GiB: {remedy}"
        )


def _physical() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _limits(membership: Path) -> list[tuple[int, int]]:
    """Return limit and use, bytes, of all control groups that a process is in, and of those above them."""
    groups = {line.split(":", 2)[2] for line in _text(membership).splitlines()}
    found = {}
    for root, *files in CGROUPS:
        for group in groups:
            own = Path(root) / group.lstrip("/")
            for folder in (own, *own.parents):
                if folder.is_relative_to(root) and (pair := _limit(folder, *files)):
                    found[folder] = pair
    return list(found.values())


def _limit(folder: Path, limit: str, use: str, copies: str) -> tuple[int, int] | None:
    """Return limit and use of one control group, None where it has no limit."""
    most, used = (_text(folder / name).strip() for name in (limit, use))
    if not most.isdigit() or int(most) == 0:
        return None
    rows = dict(line.split() for line in _text(folder / "memory.stat").splitlines() if " " in line)
    return int(most), max(int(used or 0) - int(rows.get(copies, 0)), 0)


def _text(path: Path) -> str:
    """Return what a file of the system says, nothing where it has none or may not be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
