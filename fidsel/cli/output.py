"""What commands print: tables on stdout, progress and notes on stderr, or one JSON document."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fidsel.campaign.settings import Reporter

Folder = Annotated[Path, typer.Option("--folder", "-C", help="Campaign folder, the one with fidsel.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings that replace those of the file, e.g. budget.total=3.")
]


def note(text: str) -> None:
    """Tell a person something on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def document(value: Any) -> None:  # Any: whatever JSON can hold
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, default=str, allow_nan=False) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on stdout; the first column is text, the others are aligned right."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for number, column in enumerate(columns):
        grid.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, str) else number_text(cell) for cell in row))
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 160
    console.print(grid)


def number_text(value: object) -> str:
    """Return a cell: four significant digits, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


@contextmanager
def progress() -> Iterator["Reporter"]:
    """Give a reporter that draws a bar on a terminal and plain lines, a few seconds apart, elsewhere."""
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}  # rich's TaskID

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total, visible=done < total)

        yield report


class PlainLines:
    """A reporter for logs: a line when something begins, ends, or five seconds have passed."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Print `what: done/total` now and then."""
        now = monotonic()
        if what not in self._last or done == total or now - self._last[what] > 5:
            self._last[what] = now
            note(f"{what}: {done}/{total}")
