"""Atomic numbers from what files call their atoms."""

import re
from collections.abc import Iterable

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from fidsel.arrays import IntArray

ISOTOPES = {"D": 1, "T": 1}
"""Symbols of isotopes: frames keep no masses, so they are hydrogen."""

LARGEST = 999
"""Beyond it a number is no atomic number at all; those from 119 on are found by the check."""


def atomic_number(name: str) -> int:
    """Return the atomic number of a symbol, a number, or a symbol with a serial number.

    Raises `ValueError` where it names no element.

    Examples
    --------
    >>> [atomic_number(name) for name in ("O", "cl", "8", "H12", "D")]
    [8, 17, 8, 1, 1]
    """
    if re.fullmatch(r"\d{1,3}", name, re.ASCII):
        return int(name)
    symbol = re.sub(r"_?\d+$", "", name, flags=re.ASCII).capitalize()
    number = ISOTOPES.get(symbol, atomic_numbers.get(symbol))
    if number is None:
        raise ValueError(f"no element has the symbol {name[:20]!r}")
    return int(number)


def whole_numbers(values: NDArray[np.generic]) -> IntArray:
    """Return atomic numbers of an array of numbers or symbols, of any shape.

    Raises `ValueError` where one is not whole or names no element.
    """
    if values.dtype.kind in "US":
        texts: Iterable[str] = values.astype(np.str_).ravel().tolist()
        return np.array([atomic_number(text) for text in texts], dtype=np.int64).reshape(values.shape)
    if values.dtype.kind not in "iuf":
        raise ValueError(
            f"atomic numbers must be whole numbers or symbols, got values of type {values.dtype}"
        )
    numbers = values.astype(np.float64)
    wrong = ~np.isfinite(numbers) | (numbers != np.rint(numbers)) | (np.abs(numbers) > LARGEST)
    if wrong.any():
        raise ValueError(
            f"atomic numbers must be whole numbers up to {len(chemical_symbols) - 1}, "
            f"got {numbers[wrong][0]:g}"
        )
    return numbers.astype(np.int64)
