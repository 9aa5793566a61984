"""What usual mistakes of units do to numbers, so that a factor found can be named."""

from collections.abc import Sequence

from ase import units

from fidsel.data.units import ENERGY

KCAL, KJ, HARTREE, BOHR = (1 / ENERGY["kcal/mol"], 1 / ENERGY["kJ/mol"], ENERGY["Hartree"], units.Bohr)

NEAR, ROUGH = 1.2, 2.0
"""A factor measured on the labels themselves, or against a yardstick, is so close to that of a mistake."""

WORK = (
    (KCAL, "energies in kcal/mol beside forces in eV/Å"),
    (1 / KCAL, "forces in kcal/mol/Å beside energies in eV"),
    (KJ, "energies in kJ/mol beside forces in eV/Å"),
    (1 / KJ, "forces in kJ/mol/Å beside energies in eV"),
    (KJ / KCAL, "energies in kJ/mol beside forces in kcal/mol/Å"),
    (KCAL / KJ, "forces in kJ/mol/Å beside energies in kcal/mol"),
    (HARTREE, "forces in Hartree/Å beside energies in eV"),
    (1 / HARTREE, "energies in Hartree beside forces in eV/Å"),
    (HARTREE / BOHR, "forces in Hartree/Bohr beside energies in eV"),
    (HARTREE * KCAL / BOHR, "forces in Hartree/Bohr beside energies in kcal/mol"),
    (HARTREE * KCAL, "forces in Hartree/Å beside energies in kcal/mol"),
    (
        1 / BOHR,
        "forces per Bohr beside positions in Å, e.g. Hartree and Hartree/Bohr both read as eV and eV/Å",
    ),
    (BOHR, "positions in Bohr beside forces per Å"),
    (1e3, "energies in meV beside forces in eV/Å"),
    (1e-3, "forces in meV/Å beside energies in eV"),
    (0.1, "forces per nm beside positions in Å"),
)
"""ΔE over −F·Δx, and the units that were mixed."""

FORCES = (
    (KCAL, "kcal/mol/Å"),
    (KJ, "kJ/mol/Å"),
    (KJ / 10, "kJ/mol/nm"),
    (1 / HARTREE, "Hartree/Å"),
    (BOHR / HARTREE, "Hartree/Bohr"),
    (BOHR * 2 / HARTREE, "Ry/Bohr"),
    (1e3, "meV/Å"),
)
"""Forces read as eV/Å over what they are, and their unit."""


def energy_over_work(slope: float, per_atom: float) -> str:
    """Return which mistakes give ΔE/(−F·Δx) = slope, as the end of a sentence.

    Parameters
    ----------
    slope : that of ΔE against −F·Δx.
    per_atom : that of ΔE against −F·Δx divided by the number of atoms: 1 for energies per atom.

    >>> energy_over_work(23.5, 211.0)
    ': as of energies in kcal/mol beside forces in eV/Å'
    """
    causes = _near(slope, WORK, NEAR)[:1]
    causes += _near(per_atom, [(1.0, "energies per atom (multiply them by the number of atoms)")], NEAR)
    return f": as of {', or of '.join(causes)}" if causes else ""


def force_unit(factor: float, within: float) -> str:
    """Return which units read as eV/Å make forces so many times too large, as the end of a sentence.

    Parameters
    ----------
    factor : measured forces over what they should be.
    within : times that it may be off.

    >>> force_unit(21.0, 1.5)
    ': as of forces in kcal/mol/Å read as eV/Å'
    """
    causes = _near(factor, FORCES, within)
    return f": as of forces in {' or '.join(causes)} read as eV/Å" if causes else ""


def _near(factor: float, mistakes: Sequence[tuple[float, str]], within: float) -> list[str]:
    """Return the mistakes whose factor is so close, the nearest first."""
    apart = {name: max(factor / size, size / factor) for size, name in mistakes if factor > 0}
    return sorted((name for name in apart if apart[name] < within), key=apart.__getitem__)
