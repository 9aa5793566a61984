"""SOAP power spectra averaged over the atoms of a frame, through DScribe."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
from ase.data import chemical_symbols

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.exceptions import MissingExtraError, UsageError

BLOCK = 1024
"""Frames described at once."""


@dataclass(frozen=True)
class Soap:
    """Smooth overlap of atomic positions, averaged over atoms: any compositions of some elements.

    s(s + 1)/2·(l_max + 1) features per frame with s = elements × n_max: 2100 for three elements, in 0.5 ms
    on one core. They do not change when the molecule is turned or moved, or its atoms are listed in another
    order. Radial functions to n_max = 8 tell frames of ethanol apart as those to 12 do that GAP potentials
    use (correlation of distances 0.996; aspirin 0.97) from less than half the features. `Reduced` keeps a
    large pool of them small.

    Parameters
    ----------
    elements : atomic numbers that occur in the pool, rising; other frames are refused.
    cutoff : Å.
    n_max, l_max : radial and angular functions.
    width : Å, of the Gaussian on each atom.

    References
    ----------
    A. P. Bartók, R. Kondor, G. Csányi, Phys. Rev. B 87, 184115 (2013), doi:10.1103/PhysRevB.87.184115;
    L. Himanen et al., Comput. Phys. Commun. 247, 106949 (2020), doi:10.1016/j.cpc.2019.106949.
    """

    elements: tuple[int, ...]
    cutoff: float = 5.0
    n_max: int = 8
    l_max: int = 6
    width: float = 0.3

    def __post_init__(self) -> None:
        if not self.elements or min(self.elements) < 1:
            raise UsageError(f"SOAP needs the atomic numbers of its elements, got {self.elements}")
        if self.n_max < 1 or self.l_max < 0 or not (self.cutoff > 0 and self.width > 0):
            raise UsageError(
                "SOAP needs n_max ≥ 1, l_max ≥ 0, and a cutoff and width above 0 Å, got "
                f"{self.n_max}, {self.l_max}, {self.cutoff} and {self.width}"
            )

    @classmethod
    def of(cls, frames: Frames) -> Self:
        """Return the descriptor of all elements in some frames."""
        require_frames(frames)
        return cls(tuple(np.unique(frames.numbers).tolist()))

    def __call__(self, frames: Frames) -> FloatArray:
        """Return the features of frames, (n, d); periodic images are neighbours where a frame is periodic.

        Raises
        ------
        UsageError
            where a frame has another element.
        MissingExtraError
            where DScribe is not installed.
        """
        require_frames(frames)
        if strange := sorted(set(frames.numbers.tolist()) - set(self.elements)):
            names = ", ".join(chemical_symbols[z] for z in strange)
            raise UsageError(f"this SOAP was made without {names}: make it of a pool that has every element")
        periodic = frames.pbc.any(axis=1)
        out = np.empty((len(frames), self._describer(False).get_number_of_features()))
        for kind in np.unique(periodic).tolist():
            describer, rows = self._describer(kind), np.flatnonzero(periodic == kind)
            for start in range(0, len(rows), BLOCK):
                some = rows[start : start + BLOCK]
                out[some] = describer.create(list(frames[some])).reshape(len(some), -1)
        return out

    def _describer(self, periodic: bool) -> Any:
        require_dscribe()
        from dscribe.descriptors import SOAP

        return SOAP(
            species=list(self.elements), r_cut=self.cutoff, n_max=self.n_max, l_max=self.l_max,
            sigma=self.width, average="outer", periodic=periodic,
        )  # fmt: skip


def require_dscribe() -> None:
    """Raise `MissingExtraError` where DScribe is not installed; nothing is imported."""
    if find_spec("dscribe") is None:
        raise MissingExtraError("dscribe", "soap")
