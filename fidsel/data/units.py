"""Units of files; inside fidsel everything is eV, Å and eV/Å."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ase import units

from fidsel.exceptions import UsageError, unknown

ENERGY = {
    "eV": 1.0,
    "meV": 1e-3,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
    "Hartree": units.Hartree,
    "mHartree": units.Hartree * 1e-3,
    "Ry": units.Rydberg,
}
"""Energy units in eV."""

LENGTH = {"Angstrom": 1.0, "Bohr": units.Bohr, "nm": 10.0, "pm": 0.01}
"""Length units in Å."""

ENERGY_NAMES = {
    "eV": ("ev", "electronvolt", "electronvolts"),
    "meV": ("mev",),
    "kcal/mol": ("kcal", "kcals", "kilocalorie", "kilocalories"),
    "kJ/mol": ("kj", "kilojoule", "kilojoules"),
    "Hartree": ("hartree", "hartrees", "ha", "eh", "au"),
    "mHartree": ("mhartree", "mha", "meh"),
    "Ry": ("ry", "ryd", "rydberg", "rydbergs"),
}
"""Spellings of energy units, "per mole" left out."""

LENGTH_NAMES = {
    "Angstrom": ("angstrom", "angstroms", "ångström", "ångströms", "angstroem", "ang", "angs", "a", "å"),
    "Bohr": ("bohr", "bohrs", "a0", "au"),
    "nm": ("nm", "nanometer", "nanometers", "nanometre", "nanometres"),
    "pm": ("pm", "picometer", "picometers", "picometre", "picometres"),
}
"""Spellings of length units."""

MOLE = {"mol", "mole", "moles"}


@dataclass(frozen=True)
class Units:
    """The units of a file: of its energies, lengths and forces.

    Parameters
    ----------
    energy : a key of `ENERGY`.
    length : a key of `LENGTH`.
    force : "energy/length" of such keys, where forces are in other units than the energies and lengths.

    Examples
    --------
    >>> Units.parse("kcal mol-1, Å")
    Units(energy='kcal/mol', length='Angstrom', force='')
    >>> round(Units("Hartree", "Bohr").force_factor, 4)
    51.4221
    >>> str(Units.parse("Ha,Ang,Ha/Bohr"))
    'Hartree,Angstrom,Hartree/Bohr'
    """

    energy: str = "eV"
    length: str = "Angstrom"
    force: str = ""

    def __post_init__(self) -> None:
        if self.energy not in ENERGY:
            raise unknown("energy unit", self.energy, ENERGY)
        if self.length not in LENGTH:
            raise unknown("length unit", self.length, LENGTH)
        energy, _, length = self.force.rpartition("/")
        if self.force and not (energy in ENERGY and length in LENGTH):
            raise UsageError(
                f"unknown force unit {self.force!r}: units are written energy,length or energy,length,force, "
                "the last as eV/Angstrom"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the units written as "energy,length" or "energy,length,force", in their usual spellings.

        Case does not matter; kcal mol-1, kcal/mole, Ha, Eh, a.u., Ang, Å, A, a0 and the like are known.

        Raises `UsageError` where the text is not of that form or names an unknown unit.
        """
        parts = [part.strip() for part in text.split(",")]
        if not 2 <= len(parts) <= 3:
            raise UsageError(
                "units must be written energy,length such as 'kcal/mol,Angstrom' (or energy,length,force "
                f"such as 'Hartree,Angstrom,Hartree/Bohr'), got {text!r}"
            )
        return cls.of(*parts)

    @classmethod
    def of(cls, energy: str, length: str, force: str = "") -> Self:
        """Return units from their usual spellings; a force unit of energy by length is the same as none.

        Raises `UsageError`, naming what is no unit.
        """
        made = cls(energy_unit(energy) or energy, length_unit(length) or length)
        canonical = (force_unit(force) or force) if force else ""
        return (
            made
            if canonical in {"", f"{made.energy}/{made.length}"}
            else cls(made.energy, made.length, canonical)
        )

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
        if not self.force:
            return self.energy_factor / self.length_factor
        energy, _, length = self.force.rpartition("/")
        return ENERGY[energy] / LENGTH[length]

    def __str__(self) -> str:
        return f"{self.energy},{self.length}" + (f",{self.force}" if self.force else "")


def parse_units(given: Units | str | None) -> Units | None:
    """Return the units that a text gives as `Units.parse` does; units, and None, as they are.

    Raises `UsageError` for anything else.

    >>> parse_units("kcal/mol,Angstrom")
    Units(energy='kcal/mol', length='Angstrom', force='')
    """
    if isinstance(given, str):
        return Units.parse(given)
    if given is None or isinstance(given, Units):
        return given
    raise UsageError(f"units are a text such as 'kcal/mol,Angstrom', or Units, got {given!r}")


def energy_unit(text: str) -> str | None:
    """Return the key of `ENERGY` that a text spells, None for none.

    >>> energy_unit("kcal·mol⁻¹"), energy_unit("a.u."), energy_unit("foot")
    ('kcal/mol', 'Hartree', None)
    """
    name, below = _parts(text)
    found = _spelt(name, ENERGY_NAMES)
    return found if found and not below - MOLE and bool(below) == found.endswith("/mol") else None


def length_unit(text: str) -> str | None:
    """Return the key of `LENGTH` that a text spells, None for none."""
    name, below = _parts(text)
    return None if below else _spelt(name, LENGTH_NAMES)


def force_unit(text: str) -> str | None:
    """Return "energy/length" of the keys that a text spells, None for none.

    >>> force_unit("kcal/mol/Ang"), force_unit("eV Å^-1"), force_unit("au")
    ('kcal/mol/Angstrom', 'eV/Angstrom', 'Hartree/Bohr')
    """
    name, below = _parts(text)
    if name == "au" and not below:
        return "Hartree/Bohr"
    energy, lengths = energy_unit("/".join([name, *(below & MOLE)])), below - MOLE
    length = _spelt(lengths.pop(), LENGTH_NAMES) if len(lengths) == 1 else None
    return f"{energy}/{length}" if energy and length else None


def _spelt(name: str, table: Mapping[str, tuple[str, ...]]) -> str | None:
    return next((unit for unit, spellings in table.items() if name in spellings), None)


def _parts(text: str) -> tuple[str, set[str]]:
    """Return the word above and the words below the fraction line, in lower case.

    >>> _parts("kcal/(mol Å)") == ("kcal", {"mol", "å"}) == _parts("kcal mol^-1 Å^-1")
    True
    """
    # NFKC makes one letter of the two that look like Å, and -1 of its superscript
    plain = unicodedata.normalize("NFKC", text).lower().replace("\N{MINUS SIGN}", "-")
    plain = re.sub(r"\batomic[ _]units?\b", "au", plain.replace(".", "")).replace(" per ", "/")
    plain = re.sub(r"\b(electron|kilo)[ _-](volts?|calories?|joules?)\b", r"\1\2", plain)
    above: list[str] = []
    below: set[str] = set()
    for slash, word, inverse in re.findall(r"(/)?[\s()*·_^]*([^\W\d_]+0?)[\s^*]*(-\s*1)?", plain):
        if slash or inverse or (below and "/" in plain):
            below.add(word)
        else:
            above.append(word)
    return " ".join(above), below
