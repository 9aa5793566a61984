"""Names of array types, by what they hold, and how values made of arrays show themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fidsel.exceptions import UsageError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]

LONG = 8
"""Entries from which on a sequence is shown by its length."""


def shown(value: Any) -> str:  # Any: a dataclass
    """Return a dataclass as its `repr` in one line: arrays by their shapes, long sequences by their lengths.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Dipole:
    ...     charges: FloatArray
    ...     unit: str = "e Å"
    ...     __repr__ = shown
    >>> Dipole(np.zeros((5, 3)))
    Dipole(charges (5, 3), unit='e Å')
    """
    told = ", ".join(_told(field.name, getattr(value, field.name)) for field in fields(value) if field.repr)
    return f"{type(value).__name__}({told})"


def _told(name: str, field: object) -> str:
    if isinstance(field, np.ndarray):
        return f"{name} {field.shape}"
    if isinstance(field, tuple) and len(field) > LONG:
        return f"{name} of {len(field)}"
    return f"{name}={field!r}"


def numbers_of(name: str, given: ArrayLike, dtype: type[Any]) -> NDArray[Any]:  # Any: of any kind
    """Return what a caller gave as a new array; raise a `UsageError` where it holds something else.

    Text, complex numbers and rows of unlike lengths are no numbers, and nothing is rounded to whole ones.

    Parameters
    ----------
    name : of the argument.
    dtype : of NumPy; text and truth values are taken as they are.

    Examples
    --------
    >>> numbers_of("numbers", [8, 1.0], np.int64).tolist()
    [8, 1]
    >>> numbers_of("numbers", ["O", "H"], np.int64)
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: numbers must be whole numbers, got ['O', 'H']
    """
    wanted = np.dtype(dtype).kind
    if wanted not in "if":
        return np.array(given, dtype=dtype)
    try:
        found = np.array(given)
        found = found.astype(np.float64) if found.dtype.kind == "O" else found
    except (TypeError, ValueError):
        found = np.array("")
    right = found.dtype.kind in "biuf"
    if right and wanted == "i" and found.dtype.kind == "f":
        right = bool((found == np.rint(found)).all() and np.isfinite(found).all())
    if not right:
        kind = "whole" if wanted == "i" else "real"
        raise UsageError(f"{name} must be {kind} numbers, got {str(given)[:60]}")
    return found.astype(dtype, copy=False)


def read_only(value: object, *names: str) -> None:
    """Let nobody write to some arrays of a frozen value; those it was made of stay as they are.

    NumPy's copies and pickles of arrays can be written to, also where the array could not.
    """
    for name in names:
        view = getattr(value, name).view()
        view.flags.writeable = False
        object.__setattr__(value, name, view)


def evenly(n: int, most: int) -> IntArray:
    """Return at most so many of the rows 0 to n − 1, evenly taken from all, ascending.

    >>> evenly(9, 3).tolist(), evenly(2, 5).tolist()
    ([0, 4, 8], [0, 1])
    """
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def html_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()
) -> str:
    """Return a small HTML table for a notebook; every cell is escaped, None becomes a dash.

    >>> html_table("x < y", ["a"], [[None], [0.25]])
    '<table><caption>x &lt; y</caption><tr><th>a</th></tr><tr><td>–</td></tr><tr><td>0.25</td></tr></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    told = "".join(f"<li>{escape(note)}</li>" for note in notes)
    table = f"<table><caption>{escape(title)}</caption>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
    return f"{table}<ul>{told}</ul>" if told else table


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def counted(notes: Sequence[str]) -> str:
    """Return how many notes there are, for the end of the line that stands for a result at a prompt.

    >>> counted(()), counted(["one"]), counted(["one", "two"])
    ('', '; 1 note', '; 2 notes')
    """
    return f"; {len(notes)} note{'s' * (len(notes) > 1)}" if notes else ""
