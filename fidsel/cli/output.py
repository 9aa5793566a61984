"""What commands print: tables on stdout, notes on stderr, or one JSON document."""

import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fidsel.cli.streams import is_utf8, writable

Folder = Annotated[Path, typer.Option("--folder", "-C", help="Campaign folder, the one with fidsel.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings that replace those of the file, e.g. budget.total=3; `fidsel config schema "
        "--markdown` lists all."
    ),
]

Settings = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings in place of the usual ones, e.g. model.features=32: keys of the sections model and "
        "recipe (train) or model, selector and stage (select); `fidsel config schema --markdown` lists them."
    ),
]

TrustLabels = Annotated[
    bool,
    typer.Option("--trust-labels", help="Go on with labels that look wrong (see `fidsel check`)."),
]


def note(text: str) -> None:
    """Tell a person something on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def result(text: str) -> None:
    """Print text on stdout."""
    sys.stdout.write(text)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write a message to stderr as it is now, not as it was when the handler was made."""
        note(record.getMessage())


def show_log() -> None:
    """Tell what the library logs, such as the notes on how a file was read, on stderr."""
    log = logging.getLogger("fidsel")
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, _Notes) for handler in log.handlers):
        log.addHandler(_Notes())


def document(value: Any) -> None:  # Any: plain values, NumPy's too
    """Print one JSON document on stdout; NaN and infinities, which JSON has not, become null."""
    escaped = not is_utf8(sys.stdout)
    result(json.dumps(json_value(value), indent=1, allow_nan=False, ensure_ascii=escaped) + "\n")


UNITS: Final = {
    "energy": "eV", "force": "eV/Å", "length": "Å", "angle": "°", "frequency": "1/cm", "temperature": "K",
    "time": "s",
}  # fmt: skip
"""Units of the quantities in documents, but of those whose names end in another (time_fs)."""


def measured(values: Mapping[str, Any], cost: str = "") -> dict[str, Any]:
    """Return the values of a document with the units they are in.

    Parameters
    ----------
    cost : unit of what was spent, where it is in the document.

    Examples
    --------
    >>> measured({"cost": 2.0}, "core-second")["units"]["cost"]
    'core-second'
    """
    return {**values, "units": {**values.get("units", {}), **UNITS, **({"cost": cost} if cost else {})}}


def json_value(value: Any) -> Any:
    """Return a value as JSON knows it.

    >>> json_value({"a": (1, float("nan")), 2: Path("x")})
    {'a': [1, None], '2': 'x'}
    """
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_value(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return json_value(value.tolist())
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], text: int = 1) -> None:
    """Print a table on stdout; the first `text` columns are words, the others are aligned right."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(
        title=writable(title, sys.stdout), title_justify="left", title_style="bold", header_style="bold"
    )
    for number, column in enumerate(columns):
        grid.add_column(writable(column, sys.stdout), justify="left" if number < text else "right")
    for row in rows:
        cells = (cell if isinstance(cell, str) else number_text(cell) for cell in row)
        grid.add_row(*(writable(cell, sys.stdout) for cell in cells))
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
