"""The file that takes what a worker and its programs print: bounded, and quoted by failures."""

import os
from pathlib import Path
from typing import Final

from fidsel.fidelity.label_values import plain_text

LARGEST: Final = 1 << 20
"""Bytes above which a log is cut."""
KEPT: Final = 1 << 16
"""Bytes that are kept of a log that is cut."""
QUOTED: Final = 600
"""Characters that a failure quotes."""
LINES: Final = 6
FATAL: Final = "Fatal Python error"
"""With this begins what `faulthandler` writes."""


def open_log(path: Path) -> None:
    """Have all that this process and its programs print go to a file.

    Everyone appends, so that the file can be cut at any time by another process.
    """
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(log, standard)
    os.close(log)


def size_of(path: Path) -> int:
    """Return the size of a log; 0 where somebody removed it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def cut_log(path: Path) -> None:
    """Keep the last part of a log that has grown too large."""
    if size_of(path) <= LARGEST:
        return
    try:
        last = _read(path, path.stat().st_size - KEPT)
        os.truncate(path, 0)
        with path.open("ab") as file:
            file.write(b"[...]\n" + last)
    except FileNotFoundError:
        return


def quote(path: Path, start: int = 0) -> str:
    """Return the last lines of a log as an addition to a message; empty where nothing was printed.

    Parameters
    ----------
    start : its size when that began which is quoted; nothing before it is, unless it was cut since.
    """
    try:
        size = path.stat().st_size
        text = _read(path, max(size - 4 * KEPT, start if size >= start else 0)).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    last = plain_text(" | ".join(_telling(text))[-QUOTED:])
    return f"; it printed last: {last}" if last else ""


def _telling(text: str) -> list[str]:
    """Return the last lines, or the first ones of what Python says when it dies: there the call is on top."""
    printed, died, trace = text.rpartition(FATAL)
    if not died:
        return [line.strip() for line in text.splitlines() if line.strip()][-LINES:]
    lines = [line.strip() for line in (died + trace).splitlines() if line.strip()]
    return _telling(printed)[-2:] + lines[: LINES - 2]


def _read(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(start, 0))
        return file.read(4 * KEPT)
