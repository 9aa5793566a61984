"""Which bonds each replica must keep: those of its own start, and what most starts have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data.formats.elements import atoms_label
from fidsel.md.physical import BONDED, Bonds, PhysicalRange, atom_pairs

STRETCHED = 1.5
"""A pair that most starts have bonded counts as a bond up to this multiple of the sum of covalent radii."""


@dataclass(frozen=True)
class Bonding:
    """The bonds of each replica.

    Parameters
    ----------
    kinds : bonds, pairs of atoms, that differ.
    of : (k,) which of them each replica has.
    notes : on replicas whose start has other bonds than most, as sentences.
    """

    kinds: tuple[Bonds, ...]
    of: IntArray
    notes: tuple[str, ...] = ()

    @classmethod
    def same(cls, bonds: Bonds, replicas: int) -> Self:
        """Return the same bonds for all replicas."""
        return cls((tuple(bonds),), np.zeros(replicas, dtype=np.int64))

    @classmethod
    def of_starts(cls, numbers: Sequence[int] | IntArray, starts: FloatArray) -> Self:
        """Return the bonds of each start: pairs closer than `BONDED` × the sum of covalent radii.

        A pair that at least half of the starts have bonded counts in another one up to `STRETCHED`: a start
        that is hot for a moment keeps its bond, an isomer has none there.

        Parameters
        ----------
        numbers : (N,) atomic numbers.
        starts : (k, N, 3) Å.
        """
        z = np.asarray(numbers)
        i, j, distance, radii = atom_pairs(z, starts)
        near = distance < BONDED * radii
        usual = near.mean(axis=0) >= 0.5
        kept = near | (usual & (distance < STRETCHED * radii))
        # one row for each set of bonds that there is, and which of them each replica has
        rows, of = np.unique(kept, axis=0, return_inverse=True)
        kinds = tuple(tuple(zip(i[row].tolist(), j[row].tolist(), strict=True)) for row in rows)

        def told_pair(number: int, p: int) -> str:
            return f"{atoms_label(z, i[p], j[p])} at {distance[number, p]:.2f} Å"

        odd = [
            f"{number} ({', '.join(told_pair(number, p) for p in pairs[:2])})"
            for number, pairs in enumerate(np.flatnonzero(row).tolist() for row in near != usual)
            if pairs
        ]
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        told = (
            f"replicas that start with other bonds than most: {', '.join(odd[:3])}{more} (docs/dynamics.md)"
        )
        return cls(kinds, of.reshape(-1), (told,) if odd else ())

    def reasons(
        self, limits: PhysicalRange, numbers: Sequence[int] | IntArray, positions: FloatArray, rows: IntArray
    ) -> tuple[str, ...]:
        """Return why each frame is out of range, "" where it is not; see `PhysicalRange.reasons`.

        Parameters
        ----------
        positions : (n, N, 3) Å.
        rows : (n,) the replica that each is of.
        """
        if len(self.kinds) == 1:
            return limits.reasons(numbers, positions, self.kinds[0])
        out = np.full(len(positions), "", dtype=object)
        of = self.of[rows]
        for kind in np.unique(of).tolist():
            mine = of == kind
            out[mine] = limits.reasons(numbers, positions[mine], self.kinds[kind])
        return tuple(out)
