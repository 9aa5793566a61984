"""Rotation about single bonds: energies of a model beside those of a source at the same geometries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import covalent_radii
from scipy.spatial.transform import Rotation

from fidsel.arrays import FloatArray, IntArray
from fidsel.data.formats.elements import atoms_label
from fidsel.fidelity.molecules.molecule import fragments
from fidsel.md.physical import Bonds, PhysicalRange

if TYPE_CHECKING:
    from fidsel.models.contract import Surface

ANGLES = tuple(range(0, 360, 30))
"""Degrees from the relaxed geometry."""
MOST = 6
"""Bonds of a molecule that are turned about, those with most atoms on both sides first."""
DOUBLE = 0.9
"""Bonds shorter than this multiple of the sum of covalent radii are taken as double, and not turned about."""
OFF_AXIS = 0.3
"""Å from the axis that an atom of each side must have, so that turning changes the geometry."""
LIMITS = PhysicalRange(formed=1.3)
"""Of a geometry of a scan: atoms that are not bonded must not come as near as bonded ones."""


@dataclass(frozen=True)
class Scan:
    """Energies along a rigid rotation of one side of a molecule about a bond.

    Parameters
    ----------
    bond : the two atoms of the axis.
    moved : atoms that are turned.
    angles : degrees, of the geometries that were in range and could be labelled.
    energies : eV, of the source.
    """

    bond: tuple[int, ...]
    moved: tuple[int, ...]
    angles: tuple[float, ...]
    energies: tuple[float, ...]

    def positions(self, minimum: FloatArray) -> FloatArray:
        """Return (n, N, 3) Å, the geometries, from the relaxed one (N, 3)."""
        return turned(minimum, self.bond, self.moved, self.angles)

    def compared(self, numbers: IntArray, energies: FloatArray) -> dict[str, Any]:  # Any: plain values
        """Return how far energies (n,) eV of a model are from the source's, each without their mean."""
        own, known = (np.array(each) - np.mean(each) for each in (energies, self.energies))
        return {
            "bond": atoms_label(numbers, *self.bond),
            "mae": float(np.abs(own - known).mean()),
            "barrier": float(np.ptp(own)),
            "reference_barrier": float(np.ptp(known)),
            "angles": list(self.angles),
            "energies": own.tolist(),
            "reference_energies": known.tolist(),
        }


def scans_of(surface: "Surface", numbers: IntArray, minimum: FloatArray, bonds: Bonds) -> tuple[Scan, ...]:
    """Return a scan of each bond that a molecule can be turned about, at most `MOST`.

    Geometries in which atoms overlap are left out.

    Parameters
    ----------
    surface : of the source.
    numbers : (N,) atomic numbers.
    minimum : (N, 3) Å, relaxed with it.
    """
    found = []
    for bond, moved in rotatable(numbers, minimum, bonds)[:MOST]:
        x = turned(minimum, bond, moved, ANGLES)
        able = np.array([not reason for reason in LIMITS.reasons(numbers, x, bonds)])
        energies = np.full(len(x), np.nan)
        if able.any():
            energies[able] = surface(x[able])[0]
        kept = np.flatnonzero(np.isfinite(energies))
        if len(kept) > 1:
            angles = np.array(ANGLES, dtype=np.float64)[kept]
            found.append(Scan(bond, moved, tuple(angles.tolist()), tuple(energies[kept].tolist())))
    return tuple(found)


def rotatable(
    numbers: IntArray, x: FloatArray, bonds: Bonds
) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
    """Return the bonds that can be turned about, each with the atoms of its smaller side but the axis.

    They are single, in no ring, and have atoms beside the axis on both sides.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    x : (N, 3) Å.
    """
    found = []
    for bond in bonds:
        i, j = bond
        axis = x[j] - x[i]
        length = np.linalg.norm(axis)
        if length < DOUBLE * covalent_radii[numbers[[i, j]]].sum():
            continue
        parts = fragments(len(numbers), tuple(other for other in bonds if other != bond))
        sides = [next(part for part in parts if end in part) for end in bond]
        if sides[0] == sides[1]:
            continue
        away = np.linalg.norm(np.cross(x - x[i], axis / length), axis=1)
        if all(away[list(side)].max() > OFF_AXIS for side in sides):
            smaller = min(sides, key=len)
            found.append((bond, tuple(atom for atom in smaller if atom not in bond)))
    return sorted(found, key=lambda one: -len(one[1]))


def turned(x: FloatArray, bond: Sequence[int], moved: Sequence[int], angles: Sequence[float]) -> FloatArray:
    """Return (n, N, 3) Å with some atoms turned about a bond by angles (n,), degrees."""
    axis = x[bond[1]] - x[bond[0]]
    turns = Rotation.from_rotvec(np.outer(angles, axis / np.linalg.norm(axis)), degrees=True)
    out = np.repeat(x[None], len(angles), axis=0)
    arms = x[list(moved)] - x[bond[0]]
    out[:, list(moved)] = x[bond[0]] + np.einsum("nab,kb->nka", turns.as_matrix(), arms)
    return out
