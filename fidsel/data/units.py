"""Units of files; inside fidsel everything is eV, Å and eV/Å."""

from dataclasses import dataclass
from typing import Self

from ase import units

from fidsel.errors import UsageError, unknown

ENERGY = {
    "eV": 1.0,
    "meV": 1e-3,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
    "Hartree": units.Hartree,
    "Ry": units.Rydberg,
}
"""Energy units in eV."""

LENGTH = {"Angstrom": 1.0, "Bohr": units.Bohr, "nm": 10.0}
"""Length units in Å."""

ALIASES = {
    "ang": "Angstrom",
    "å": "Angstrom",
    "a0": "Bohr",
    "ha": "Hartree",
    "eh": "Hartree",
    "rydberg": "Ry",
}


@dataclass(frozen=True)
class Units:
    """The units of a file: of its energies and lengths; forces are in one by the other.

    Parameters
    ----------
    energy : a key of `ENERGY`.
    length : a key of `LENGTH`.

    Examples
    --------
    >>> Units.parse("kcal/mol, Angstrom")
    Units(energy='kcal/mol', length='Angstrom')
    >>> round(Units("Hartree", "Bohr").force_factor, 4)
    51.4221
    """

    energy: str = "eV"
    length: str = "Angstrom"

    def __post_init__(self) -> None:
        if self.energy not in ENERGY:
            raise unknown("energy unit", self.energy, ENERGY)
        if self.length not in LENGTH:
            raise unknown("length unit", self.length, LENGTH)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the units written as "energy,length", in any case; Ang, Å, a0, Ha, Eh are known too.

        Raises
        ------
        UsageError
            where the text is not of that form or names an unknown unit.
        """
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 2:
            raise UsageError(f"units must be written energy,length such as 'kcal/mol,Angstrom', got {text!r}")
        return cls(_canonical(parts[0], ENERGY), _canonical(parts[1], LENGTH))

    @property
    def energy_factor(self) -> float:
        """EV per unit of energy."""
        return ENERGY[self.energy]

    @property
    def length_factor(self) -> float:
        """Å per unit of length."""
        return LENGTH[self.length]

    @property
    def force_factor(self) -> float:
        """(eV/Å) per unit of force."""
        return self.energy_factor / self.length_factor

    def __str__(self) -> str:
        return f"{self.energy},{self.length}"


def _canonical(name: str, table: dict[str, float]) -> str:
    lower = ALIASES.get(name.lower(), name).lower()
    return next((key for key in table if key.lower() == lower), name)
