"""Progress of long work on stderr: a bar on a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from time import monotonic
from typing import TYPE_CHECKING, Any

from fidsel.cli.output import note

if TYPE_CHECKING:
    from fidsel.campaign.settings import Reporter

QUIET = 10.0
"""Seconds between two lines on the same work in a log."""


@contextmanager
def progress() -> Iterator["Reporter"]:
    """Give a reporter that draws a bar on a terminal and plain lines, some seconds apart, elsewhere.

    Meanwhile what libraries print goes to stderr: stdout is for the result.
    """
    with _stdout_to_stderr(), _bars() if sys.stderr.isatty() else nullcontext(PlainLines()) as report:
        yield report


@contextmanager
def _bars() -> Iterator["Reporter"]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}  # rich's TaskID

        def report(what: str, done: int, total: int, detail: str = "") -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total, detail=detail)
            bar.update(tasks[what], completed=done, total=total, visible=done < total, detail=detail)

        yield report


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what is printed, also by C code and child processes."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class PlainLines:
    """A reporter for logs: a line when something begins, ends, or `QUIET` seconds have passed."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Print `what: done/total detail` now and then."""
        now = monotonic()
        if what not in self._last or done == total or now - self._last[what] > QUIET:
            self._last[what] = now
            note(f"{what}: {done}/{total} {detail}".rstrip())
