"""Energies of conformers: of a model beside those of a source at the same geometries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_frames
from fidsel.md.sampling.conformer_search import conformers

if TYPE_CHECKING:
    from fidsel.models.contract import Surface

MOST = 8
"""Conformers of a molecule, those lowest in MMFF94 first."""
ATTEMPTS = 5
"""Embeddings tried for each of them."""
SEED = 1
"""Of the embedding: every check of a molecule sees the same geometries."""


@dataclass(frozen=True)
class Conformers:
    """Energies of a source at the conformers of a molecule, which MMFF94 has relaxed.

    They are neither relaxed by the source nor by a model: the source labels each once, and models that are
    compared with it are all asked for the same geometries.

    Parameters
    ----------
    positions : Å, of n atoms × 3 for each conformer.
    energies : eV.
    why : why there are fewer than two, "" = there are not.
    """

    positions: tuple[tuple[tuple[float, ...], ...], ...] = ()
    energies: tuple[float, ...] = ()
    why: str = ""

    @classmethod
    def of(cls, surface: "Surface", like: Frames) -> Self:
        """Return what a source says of the conformers of a molecule; those that it cannot label are left out.

        Parameters
        ----------
        surface : of the source.
        like : one frame of the molecule, near a minimum, which tells its bonds and configuration.
        """
        try:
            x = conformers(from_frames(like), MOST, SEED, attempts=ATTEMPTS)
        except UsageError as error:
            return cls(why=str(error))
        if len(x) == 1:
            return cls(why="the molecule has one conformer alone")
        energies = surface(x)[0]
        kept = np.isfinite(energies)
        if np.count_nonzero(kept) < 2:
            return cls(why=f"the source cannot label {np.count_nonzero(~kept)} of {len(x)} conformers")
        positions = tuple(tuple(map(tuple, one)) for one in x[kept].tolist())
        return cls(positions, tuple(energies[kept].tolist()))

    def compared(self, surface: "Surface") -> dict[str, Any]:  # Any: plain values
        """Return how far a model's energies are from the source's, as plain values.

        Energies are relative to the conformer that is lowest by the source, `mae` is over the others.
        """
        if self.why:
            return {"count": 0, "why": self.why}
        own, known = surface(np.array(self.positions))[0], np.array(self.energies)
        lowest = int(known.argmin())
        own, known = _above(own, lowest), _above(known, lowest)
        return {
            "count": len(known),
            "mae": float(np.abs(own - known).sum() / (len(known) - 1)),
            "range": float(known.max()),
            "same_lowest": int(own.argmin()) == lowest,
            "energies": own.tolist(),
            "reference_energies": known.tolist(),
        }


def _above(energies: FloatArray, lowest: int) -> FloatArray:
    above: FloatArray = energies - energies[lowest]
    return above
