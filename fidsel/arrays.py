"""Names of array types, by what they hold, and how values made of arrays show themselves."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
