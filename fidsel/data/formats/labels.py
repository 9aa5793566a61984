"""Under which names files keep energies and forces, and which of them is read."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError

Quantity = Literal["energy", "forces"]

PREFIX = r"(?:(?:ref|reference|dft|qm|label|target)[_-])?"
"""What MACE (REF_energy), GAP (dft_energy) and others write in front of a plain name."""

KNOWN: Mapping[Quantity, tuple[str, ...]] = {
    "energy": ("energy", "total_energy", "potential_energy", "totenergy", "free_energy"),
    "forces": ("forces", "force"),
}
"""Names that mean the energy or the forces whoever wrote the file, in lower case, the first preferred."""

SAME = 1e-6
"""eV or eV/Å (or the file's unit); labels that differ by less are the same, written with fewer digits."""

LABEL_LIKE = re.compile(
    r"energ|forc|grad|stress|viri|dipol|charge|magmom|spin|multipl|unit|lattice|cell|\bbox"
    r"|(?:^|[_-])[ef](?:[_-]|$)",
    re.IGNORECASE,
)
"""Names that a person expects to be heeded: where one is not, that is said."""


@dataclass(frozen=True)
class Keys:
    """Which labels are to be read.

    Parameters
    ----------
    energy, forces : names in the file; where one is given no other label is read.
    labels : False reads configurations only.
    """

    energy: str | None = None
    forces: str | None = None
    labels: bool = True

    def wanted(self, quantity: Quantity, names: Iterable[str], also: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return those of a file's names to read as energy or forces, the preferred first.

        Parameters
        ----------
        also : names that mean this quantity in this format only, in order, before all others.
        """
        if not self.labels:
            return ()
        if self.energy is not None or self.forces is not None:
            return tuple(name for name in names if name == getattr(self, quantity))
        ranked = [(rank, name) for name in names if (rank := _rank(quantity, name, also)) is not None]
        return tuple(name for _, name in sorted(ranked))


def _rank(quantity: Quantity, name: str, also: tuple[str, ...]) -> int | None:
    if name in also:
        return also.index(name) - len(also)
    for place, plain in enumerate(KNOWN[quantity]):
        if match := re.fullmatch(PREFIX + plain, name.lower()):
            return place + len(KNOWN[quantity]) * (match[0] != plain)
    return None


def choose(quantity: Quantity, candidates: Mapping[str, FloatArray], file: str) -> str | None:
    """Return the name whose values are read; the free energy gives way to the energy.

    Raises `UsageError` where two names hold different values: which level is meant only a person knows.

    Parameters
    ----------
    candidates : values of all frames under each known name, the preferred first; NaN = not there.
    file : what the file is called, for messages.
    """
    names = [name for name, values in candidates.items() if not np.isnan(values).all()]
    if not names:
        return None
    chosen = candidates[names[0]]
    for name in names[1:]:
        values = candidates[name]
        if _free(name) and not _free(names[0]) and not (np.isnan(chosen) & ~np.isnan(values)).any():
            continue
        if (differ := ~np.isclose(chosen, values, rtol=0, atol=SAME, equal_nan=True)).any():
            first = tuple(int(index[0]) for index in np.nonzero(differ))
            raise UsageError(
                f"{file} has {quantity} under {', '.join(map(repr, names))} with different values (first "
                f"{chosen[first]:.6g} under {names[0]!r}, {values[first]:.6g} under {name!r}): say which are "
                f"meant by energy_key and forces_key, {advice(file)}"
            )
    return names[0]


def _free(name: str) -> bool:
    return name.lower().endswith("free_energy")


def advice(file: str) -> str:
    """Return how labels are named on the command line."""
    return (
        f"on the command line as {file}:ENERGY_KEY:FORCES_KEY (`fidsel check`: --energy-key and --forces-key)"
    )


def unread(names: Iterable[str], read: Iterable[str | None]) -> tuple[str, ...]:
    """Return the names a person would expect to be heeded, but were not, sorted.

    >>> unread(["stress", "energy", "config_type", "REF_energy"], ["energy"])
    ('REF_energy', 'stress')
    """
    return tuple(sorted(name for name in set(names) - set(read) if LABEL_LIKE.search(name)))
