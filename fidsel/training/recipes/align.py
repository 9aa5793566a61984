"""Bring the energies of a cheap level to the scale of the accurate one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.reference import EnergyReference, compositions


@dataclass(frozen=True, eq=False)
class Alignment:
    """A shift per element that brings one level's energies to another's.

    Parameters
    ----------
    frames : the frames given, with energies shifted.
    shift : accurate − cheap, eV per atom of each element.
    paired : configurations labelled at both levels that the shift was fitted to; 0 where there were
        too few, and the difference of two separate fits was taken.
    """

    frames: Frames
    shift: EnergyReference
    paired: int

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        mean = float(np.mean(self.shift.energy(self.frames)))
        return {
            "shift_per_element": {str(z): e for z, e in self.shift.per_element.items()},
            "mean_shift": mean,
            "rank": self.shift.rank,
            "determined": self.shift.rank == len(self.shift.per_element),
            "paired": self.paired,
            "outliers": self.shift.outliers,
        }


def align(cheap: Frames, accurate: Frames) -> Alignment:
    """Return cheap frames with energies on the accurate scale.

    Absolute energies of two levels differ by hundreds of eV, almost wholly a sum over atoms: E_accurate −
    E_cheap ≈ Σ_Z n_Z δ_Z. δ is fitted by least squares to configurations that carry both labels, where there
    are as many as there are elements and they fix the shift of every cheap composition; otherwise it is the
    difference of the least-squares energies per element of either level. With fewer independent compositions
    than elements δ is the solution of smallest norm (a constant for a single composition), and
    `Alignment.report` says so. A composition is fixed by those it is a linear combination of: ethane and
    propane fix butane, not water. Raises a `UsageError` where an energy is missing, or cheap frames have
    elements that no accurate one has, or compositions that the accurate ones do not fix.

    Parameters
    ----------
    cheap, accurate : frames with energies, each of one level.
    """
    for name, frames in (("cheap", cheap), ("accurate", accurate)):
        if not np.isfinite(frames.energy).all() or len(frames) == 0:
            raise UsageError(
                f"alignment needs an energy on every {name} frame, got {np.isfinite(frames.energy).sum()} "
                f"for {len(frames)}: use energy_labels = 'teacher' or 'none' where there are none"
            )
    if new := sorted(set(cheap.numbers.tolist()) - set(accurate.numbers.tolist())):
        raise UsageError(
            f"elements {new} occur in cheap frames only, so nothing fixes their energy at the accurate "
            "level: add accurate frames that contain them, or leave those cheap frames out"
        )
    rows, difference = _paired(cheap, accurate)
    if len(rows) >= len(set(accurate.numbers.tolist())) and not _beyond(cheap, cheap[rows]):
        shift, paired = EnergyReference.fit(cheap[rows], difference), len(rows)
        shift = EnergyReference.zero(cheap) + shift
    else:
        if free := _beyond(cheap, accurate):
            raise UsageError(
                f"cheap frames of {', '.join(free[:5])} cannot be aligned: no accurate composition, nor a "
                "combination of them, fixes their energy at the accurate level. Add accurate frames of "
                "these molecules, leave the cheap ones out, or use energy_labels = 'teacher' or 'none'"
            )
        own = EnergyReference.fit(cheap, cheap.energy)
        shift, paired = EnergyReference.fit(accurate, accurate.energy) + -own, 0
    return Alignment(cheap.replace(energy=cheap.energy + shift.energy(cheap)), shift, paired)


def _beyond(frames: Frames, known: Frames) -> list[str]:
    """Return the formulas of frames that are no linear combination of the known compositions."""
    example = dict(zip(frames.formulas, range(len(frames)), strict=True))
    both = np.unique(known.formulas, return_index=True)[1]
    _, counts = compositions(known[both] + frames[list(example.values())])
    rank, base = np.linalg.matrix_rank(counts[: len(both)]), counts[: len(both)]
    return [
        formula
        for formula, row in zip(example, counts[len(both) :], strict=True)
        if np.linalg.matrix_rank(np.vstack([base, row])) > rank
    ]


def _paired(cheap: Frames, accurate: Frames) -> tuple[list[int], FloatArray]:
    """Return the rows of cheap frames labelled at both levels and accurate − cheap, eV."""
    energy = dict(zip(accurate.ids, accurate.energy.tolist(), strict=True))
    rows = [i for i, identity in enumerate(cheap.ids) if identity in energy]
    difference = np.array([energy[cheap.ids[i]] for i in rows]) - cheap.energy[rows]
    return rows, difference
