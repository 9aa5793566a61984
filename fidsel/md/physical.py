"""When a frame has left the physical range: overlapping atoms, torn bonds, fragments drifted away."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.data import covalent_radii

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import fragments

Bonds = Sequence[tuple[int, int]]

OVERLAP, TORN, APART, NOT_FINITE = "overlap", "torn bond", "fragments apart", "not finite"
NEW_BOND = "new bond"
BONDED = 1.3
"""Atoms closer than this multiple of the sum of their covalent radii are bonded."""


@dataclass(frozen=True)
class PhysicalRange:
    """Limits outside which a frame is no configuration of its molecule.

    Parameters
    ----------
    overlap : Å, no two atoms may be closer.
    contact : no two atoms may be closer than this fraction of the sum of their covalent radii.
    stretch : no bond may be longer than this multiple of the sum of its covalent radii.
    gap : Å, no fragment may be farther than this from its nearest other fragment.
    transfer : whether a hydrogen may change partners; its bond then counts as torn only when no atom
        at all is within `stretch`.
    formed : two atoms that are not bonded may come no closer than this multiple of the sum of their covalent
        radii, hydrogens left out where they may change partners; 0 = they may.

    Examples
    --------
    >>> xyz = np.array([[[0, 0, 0], [0, 0, 0.74]], [[0, 0, 0], [0, 0, 3.0]], [[0, 0, 0], [0, 0, 0.1]]])
    >>> PhysicalRange().reasons([1, 1], xyz, [(0, 1)])
    ('', 'torn bond', 'overlap')
    """

    overlap: float = 0.4
    contact: float = 0.5
    stretch: float = 1.8
    gap: float = 6.0
    transfer: bool = False
    formed: float = 0.0

    def __post_init__(self) -> None:
        if not (self.overlap >= 0 and 0 <= self.contact < 1 < self.stretch and self.gap > 0):
            raise UsageError(
                "a physical range needs overlap ≥ 0, 0 ≤ contact < 1, stretch > 1 and gap > 0, got "
                f"{self.overlap}, {self.contact}, {self.stretch}, {self.gap}"
            )

    def reasons(
        self, numbers: Sequence[int] | IntArray, positions: FloatArray, bonds: Bonds
    ) -> tuple[str, ...]:
        """Return why each frame is out of range, "" where it is not.

        Parameters
        ----------
        numbers : (N,) atomic numbers.
        positions : (n, N, 3) Å.
        bonds : pairs of atoms that must stay bonded.
        """
        z = np.asarray(numbers)
        finite = np.asarray(np.isfinite(positions).all(axis=(1, 2)))
        xyz = np.where(finite[:, None, None], positions, 0.0)
        i, j = np.triu_indices(len(z), 1)
        gap = xyz[:, i] - xyz[:, j]
        distance = np.sqrt(np.einsum("npx,npx->np", gap, gap))
        ratio = distance / (covalent_radii[z[i]] + covalent_radii[z[j]])
        masks = {
            APART: self._apart(distance, len(z), bonds),
            NEW_BOND: self._formed(ratio, z, bonds),
            TORN: self._torn(ratio, z, bonds),
            OVERLAP: ((distance < self.overlap) | (ratio < self.contact)).any(axis=1),
            NOT_FINITE: ~finite,
        }
        out = np.full(len(xyz), "", dtype=object)
        for reason, mask in masks.items():
            out[mask] = reason
        return tuple(out)

    def _formed(self, ratio: FloatArray, z: IntArray, bonds: Bonds) -> BoolArray:
        near = ratio < self.formed
        if not near.any():
            return np.zeros(len(ratio), dtype=bool)
        near[:, _places(tuple(bonds), len(z))] = False
        if self.transfer:
            i, j = np.triu_indices(len(z), 1)
            near[:, (z[i] == 1) | (z[j] == 1)] = False
        return np.asarray(near.any(axis=1))

    def _torn(self, ratio: FloatArray, z: IntArray, bonds: Bonds) -> BoolArray:
        long = ratio[:, _places(tuple(bonds), len(z))] > self.stretch
        if self.transfer and long.any():
            near = _square(np.where(ratio > self.stretch, 0.0, 1.0), len(z))
            free = (z == 1) & ~near.any(axis=2)
            i, j = _ends(bonds)
            long = np.where((z[i] == 1) | (z[j] == 1), free[:, i] | free[:, j], long)
        return np.asarray(long.any(axis=1))

    def _apart(self, distance: FloatArray, atoms: int, bonds: Bonds) -> BoolArray:
        parts = fragments(atoms, tuple(bonds))
        apart = np.zeros(len(distance), dtype=bool)
        if len(parts) == 1:
            return apart
        square = _square(distance, atoms)
        for part in parts:
            others = np.setdiff1d(np.arange(atoms), part)
            apart |= square[:, part][:, :, others].min(axis=(1, 2)) > self.gap
        return apart


def bonds_of(numbers: Sequence[int] | IntArray, positions: FloatArray) -> tuple[tuple[int, int], ...]:
    """Return the pairs that are bonded in every frame: closer than `BONDED` × the sum of covalent radii.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (n, N, 3) Å.
    """
    i, j, distance, radii = atom_pairs(numbers, positions)
    bonded = (distance < BONDED * radii).all(axis=0)
    return tuple(zip(i[bonded].tolist(), j[bonded].tolist(), strict=True))


def atom_pairs(
    numbers: Sequence[int] | IntArray, positions: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Return the atoms of each pair, (p,) and (p,), how far apart they are, (n, p) Å, and their radii's sum.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (n, N, 3) Å.
    """
    i, j = np.triu_indices(len(numbers), 1)
    radius = covalent_radii[np.asarray(numbers)]
    return i, j, np.linalg.norm(positions[:, i] - positions[:, j], axis=-1), radius[i] + radius[j]


def check_within(reasons: Sequence[str]) -> None:
    """Raise `UsageError` where a starting geometry is out of range; `reasons` say why, "" = it is not."""
    for i, reason in enumerate(reasons):
        if reason:
            raise UsageError(
                f"start {i} is out of the physical range ({reason}); give another geometry or wider limits"
            )


def _ends(bonds: Bonds) -> tuple[IntArray, IntArray]:
    ends = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


@lru_cache(maxsize=64)
def _places(bonds: tuple[tuple[int, int], ...], atoms: int) -> IntArray:
    """Return the place of each bond among the pairs i < j of atoms; not to be written to."""
    i, j = np.sort(np.stack(_ends(bonds)), axis=0)
    places: IntArray = i * (2 * atoms - i - 1) // 2 + j - i - 1
    return places


def _square(pairs: FloatArray, atoms: int) -> FloatArray:
    """Return (n, N, N) of values (n, D) for pairs i < j, zero on the diagonal."""
    i, j = np.triu_indices(atoms, 1)
    out = np.zeros((len(pairs), atoms, atoms))
    out[:, i, j] = out[:, j, i] = pairs
    return out
