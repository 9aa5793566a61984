"""When a frame has left the physical range: overlapping atoms, torn bonds, fragments drifted away."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import fragments

Bonds = Sequence[tuple[int, int]]

OVERLAP, TORN, APART, NOT_FINITE = "overlap", "torn bond", "fragments apart", "not finite"


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
        finite = np.asarray(np.isfinite(positions).all(axis=(1, 2)))
        xyz = np.where(finite[:, None, None], positions, 0.0)
        distance = np.linalg.norm(xyz[:, :, None] - xyz[:, None], axis=-1)
        radius = covalent_radii[np.asarray(numbers)]
        ratio = distance / (radius[:, None] + radius)
        masks = {
            APART: self._apart(distance, bonds),
            TORN: self._torn(ratio, np.asarray(numbers), bonds),
            OVERLAP: self._overlapping(distance, ratio),
            NOT_FINITE: ~finite,
        }
        out = np.full(len(xyz), "", dtype=object)
        for reason, mask in masks.items():
            out[mask] = reason
        return tuple(out)

    def _overlapping(self, distance: FloatArray, ratio: FloatArray) -> BoolArray:
        i, j = np.triu_indices(distance.shape[1], 1)
        near: BoolArray = (distance[:, i, j] < self.overlap) | (ratio[:, i, j] < self.contact)
        return np.asarray(near.any(axis=1))

    def _torn(self, ratio: FloatArray, numbers: IntArray, bonds: Bonds) -> BoolArray:
        i, j = _ends(bonds)
        long = ratio[:, i, j] > self.stretch
        if self.transfer:
            near = ratio + np.diag(np.full(len(numbers), np.inf))
            free = (numbers == 1) & (near.min(axis=2) > self.stretch)
            hydrogen = (numbers[i] == 1) | (numbers[j] == 1)
            long = np.where(hydrogen, free[:, i] | free[:, j], long)
        return np.asarray(long.any(axis=1))

    def _apart(self, distance: FloatArray, bonds: Bonds) -> BoolArray:
        parts = fragments(distance.shape[1], tuple(bonds))
        if len(parts) == 1:
            return np.zeros(len(distance), dtype=bool)
        apart = np.zeros(len(distance), dtype=bool)
        for part in parts:
            others = np.setdiff1d(np.arange(distance.shape[1]), part)
            apart |= distance[:, part][:, :, others].min(axis=(1, 2)) > self.gap
        return apart


def bonds_of(numbers: Sequence[int] | IntArray, positions: FloatArray) -> tuple[tuple[int, int], ...]:
    """Return the pairs that are bonded in every frame: closer than 1.3 × the sum of covalent radii.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (n, N, 3) Å.
    """
    i, j = np.triu_indices(len(numbers), 1)
    radius = covalent_radii[np.asarray(numbers)]
    distance = np.linalg.norm(positions[:, i] - positions[:, j], axis=-1)
    bonded = (distance < 1.3 * (radius[i] + radius[j])).all(axis=0)
    return tuple(zip(i[bonded].tolist(), j[bonded].tolist(), strict=True))


def _ends(bonds: Bonds) -> tuple[IntArray, IntArray]:
    ends = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]
