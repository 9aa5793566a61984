"""Charge and spin of a frame from the names that files, and ASE atoms, give them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from fidsel.exceptions import UsageError

CHARGE = ("charge", "total_charge", "tot_charge", "net_charge", "system_charge")
SPIN = ("spin", "unpaired_electrons")
MULTIPLICITY = ("multiplicity", "spin_multiplicity", "mult")
CHARGES, MOMENTS = "initial_charges", "initial_magmoms"
"""ASE's names of the charges and the magnetic moments of atoms."""
NAMES = frozenset({*CHARGE, *SPIN, *MULTIPLICITY})
"""Names of a frame's electronic state, in lower case."""

LARGEST = 10_000
"""e; no molecule has more."""
WHOLE = 0.02
"""e; charges and moments of atoms, written with few digits, add up to whole numbers of a frame to this."""


class Electrons(NamedTuple):
    """Charge (e) and number of unpaired electrons (2S) of a frame, and the names they stood under."""

    charge: int | None
    spin: int | None
    names: tuple[str, ...]


def electrons(info: Mapping[str, Any], where: str) -> Electrons:
    """Return what a frame's named values say of its electrons, None for what they do not.

    Raises `UsageError` where a value is not a whole number, or two names contradict each other.

    Examples
    --------
    >>> electrons({"total_charge": "+1", "multiplicity": 2.0}, "a.xyz, line 1")
    Electrons(charge=1, spin=1, names=('total_charge', 'multiplicity'))
    """
    named = {name: info[name] for name in info if name.lower() in NAMES and info[name] is not None}
    found: dict[str, dict[str, int]] = {"charge": {}, "spin": {}}
    for name, value in named.items():
        number, lower = whole(value, name, where), name.lower()
        if lower in MULTIPLICITY and number < 1:
            raise UsageError(f"{where}: {name} must be 2S + 1 ≥ 1, got {number}")
        if lower in CHARGE:
            found["charge"][name] = number
        else:
            found["spin"][name] = number - (lower in MULTIPLICITY)
    charge, spin = (_agreed(what, values, where) for what, values in found.items())
    return Electrons(charge, spin, tuple(named))


def completed(
    named: Electrons, numbers: ArrayLike, charges: ArrayLike | None, moments: ArrayLike | None = None
) -> Electrons:
    """Return the electrons of a frame, its charge and spin the sums of its atoms' where none is named.

    Charges and magnetic moments that add up to no whole number, or to none, say nothing of the frame; nor do
    moments of which its number of electrons cannot have as many unpaired, as guesses have.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    charges : (N,) e, of the atoms.
    moments : (N,) magnetic moments of the atoms, μB; vectors say nothing.

    Examples
    --------
    >>> completed(Electrons(None, None, ()), [8, 1], [-1.2, 0.2])
    Electrons(charge=-1, spin=None, names=('charges of the atoms',))
    >>> completed(Electrons(None, None, ()), [8, 8], None, [1.0, 1.0]).spin
    2
    """
    charge, spin, names = named
    size = np.size(numbers)
    if charge is None and (total := _whole_sum(charges, size)):
        charge, names = total, (*names, "charges of the atoms")
    unpaired = abs(_whole_sum(moments, size)) if spin is None else 0
    if unpaired and (int(np.sum(numbers)) - (charge or 0) - unpaired) % 2 == 0:
        spin, names = unpaired, (*names, "magnetic moments of the atoms")
    return Electrons(charge, spin, names)


def _whole_sum(values: ArrayLike | None, atoms: int) -> int:
    """Return the whole number that one value per atom adds up to, 0 where it is none."""
    numbers = np.zeros(0) if values is None else np.asarray(values, dtype=np.float64)
    total = float(numbers.sum()) if numbers.shape == (atoms,) else 0.0
    return round(total) if abs(total) < LARGEST and abs(total - np.rint(total)) <= WHOLE else 0


def electrons_of_atoms(atoms: Atoms, where: str) -> Electrons:
    """Return what ASE atoms say of their electrons, as a file of them would.

    It is in `info`, else in the initial charges and initial magnetic moments.

    Raises `UsageError` as `electrons` does.

    Examples
    --------
    >>> electrons_of_atoms(Atoms("OH", info={"total_charge": -1}), "here").charge
    -1
    """
    info = {name: value for name, value in atoms.info.items() if isinstance(name, str)}
    arrays = atoms.arrays
    given = (arrays.get(name) for name in (CHARGES, MOMENTS))
    return completed(electrons(info, where), atoms.numbers, *given)


def whole(value: Any, name: str, where: str) -> int:  # Any: whatever a file holds
    """Return a whole number: 1, 1.0, "+1" or an array of one such.

    Raises `UsageError` for all else, a half among them.
    """
    number = None
    if isinstance(value, str):
        number = float(value) if re.fullmatch(r"[+-]?\d{1,9}(\.0*)?", value.strip()) else None
    elif np.size(value) == 1 and np.asarray(value).dtype.kind in "iuf":
        number = float(np.asarray(value).reshape(()))
    if number is None or not number.is_integer() or abs(number) > LARGEST:
        raise UsageError(f"{where}: {name} must be a whole number, got {str(value)[:60]!r}")
    return int(number)


def _agreed(what: str, values: Mapping[str, int], where: str) -> int | None:
    if len(set(values.values())) > 1:
        told = ", ".join(f"{name} says {number}" for name, number in values.items())
        raise UsageError(f"{where}: the {what} is told in two ways ({told}, as 2S for the spin): keep one")
    return next(iter(values.values()), None)
