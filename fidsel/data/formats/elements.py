"""Atoms of files and of callers: their numbers from what they are called, and their formulas."""

import re
from collections.abc import Iterable

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError

ISOTOPES = {"D": 1, "T": 1}
"""Symbols of isotopes: frames keep no masses, so they are hydrogen."""

SAME_MASS = 0.05
"""u; masses that differ by more are those of another isotope."""

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


def formula(numbers: IntArray) -> str:
    """Return the chemical formula of some atomic numbers; X for what is no element.

    >>> formula(np.array([1, 8, 1])), formula(np.array([200, -1, 1]))
    ('H2O', 'HX2')
    """
    known = (numbers > 0) & (numbers < len(chemical_symbols))
    return str(Atoms(np.where(known, numbers, 0)).get_chemical_formula())  # 0 = X


def atoms_label(numbers: IntArray, *atoms: int) -> str:
    """Return element and number of some atoms, counted from 0 as ASE does.

    >>> atoms_label(np.array([8, 1, 1]), 2), atoms_label(np.array([8, 1, 1]), 0, 1)
    ('H2', 'O0–H1')
    """
    return "–".join(f"{chemical_symbols[numbers[atom]]}{atom}" for atom in atoms)


def listed_atoms(images: Iterable[Atoms] | Atoms) -> list[Atoms]:
    """Return what a caller gives as ASE Atoms, one or several.

    Raises `UsageError` where something else is among them, or Atoms without any.
    """
    found = [images] if isinstance(images, Atoms) else list(images)
    for i, atoms in enumerate(found):
        if not isinstance(atoms, Atoms) or not len(atoms):
            raise UsageError(
                f"frames are made of ASE Atoms with at least one atom each, got {str(atoms)[:40]!r} in place "
                f"{i}: fidsel.read(FILE) gives the frames of a file"
            )
    return found


def foreign_masses(numbers: IntArray, masses: FloatArray) -> tuple[str, ...]:
    """Return a note where masses are not those of the elements.

    Parameters
    ----------
    masses : (N,) u, NaN where unknown.

    Examples
    --------
    >>> foreign_masses(np.array([1, 8]), np.array([2.014, 15.999]))
    ('masses (H 2.014) are not kept: dynamics and frequencies take those of the elements',)
    >>> foreign_masses(np.array([1, 8]), np.array([1.008, np.nan]))
    ()
    """
    usual = atomic_masses[np.clip(numbers, 0, len(atomic_masses) - 1)]
    other = np.flatnonzero(np.abs(masses - usual) > SAME_MASS)
    if not len(other):
        return ()
    first = int(other[0])
    named = f"{chemical_symbols[int(numbers[first])]} {float(masses[first]):g}"
    return (f"masses ({named}) are not kept: dynamics and frequencies take those of the elements",)
