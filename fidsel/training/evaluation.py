"""`evaluate`: the errors of a model on labelled frames, by element and by molecule, and parity pairs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField, Prediction
from fidsel.models.reference import EnergyReference, compositions

FEWEST = 5
"""Energies from which on a constant between two levels can be told from errors."""
DOMINANT = 3.0
"""A constant matters where the energy MAE falls by more than this factor once it is taken out."""


@dataclass(frozen=True)
class Deviation:
    """How far predictions are from labels.

    Parameters
    ----------
    number : how many numbers were compared: force components, or energies.
    mae, rmse : mean absolute and root-mean-square difference, in the unit of the numbers.
    """

    number: int
    mae: float
    rmse: float

    @classmethod
    def of(cls, differences: FloatArray) -> "Deviation | None":
        """Return the deviation of some differences, None where there are none."""
        if not differences.size:
            return None
        size, square = np.abs(differences), differences**2
        return cls(int(differences.size), float(size.mean()), float(np.sqrt(square.mean())))


@dataclass(frozen=True)
class Deviations:
    """Errors on a set of frames; None where no frame has the label.

    ======================= ======= ==================================================================
    field                   unit    meaning
    ======================= ======= ==================================================================
    frames                          how many
    forces                  eV/Å    per component
    energy                  eV      of total energies as they are
    energy_per_atom         eV      the same, each divided by the number of its atoms
    constant                eV      median over frames of what was taken out, `Evaluation.constants`
    aligned                 eV      of total energies, the constants taken out, without those that a constant
                                    is made of alone, `Evaluation.alone`
    aligned_per_atom        eV      the same, each divided by the number of its atoms
    ======================= ======= ==================================================================
    """

    frames: int
    forces: Deviation | None
    energy: Deviation | None
    energy_per_atom: Deviation | None
    constant: float | None
    aligned: Deviation | None
    aligned_per_atom: Deviation | None

    @property
    def shifted(self) -> bool:
        """Whether a constant between the two energies makes up most of the energy error."""
        if self.energy is None or self.aligned is None:
            return False
        return dominates(self.energy.mae, self.aligned.mae, self.aligned.number)


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Labels and predictions of the same frames.

    Parameters
    ----------
    constants : (n_frames,) eV, constant by which predicted energies lie above labels, a sum over the atoms
        of each frame: two levels of theory, or two programs, count energies from different zeros. It is
        fitted to the median difference of each molecule. NaN where no energy is known.
    """

    frames: Frames
    prediction: Prediction
    constants: FloatArray

    @cached_property
    def whole(self) -> Deviations:
        """Errors on all frames."""
        return self._of(np.ones(len(self.frames), dtype=bool))

    @cached_property
    def alone(self) -> BoolArray:
        """(n_frames,) whether a frame determines its constant alone: no error is left then, by construction.

        So it is for the one frame of a molecule whose composition follows from no other molecules'.
        """
        known = np.flatnonzero(np.isfinite(self.frames.energy))
        out = np.zeros(len(self.frames), dtype=bool)
        if len(known):
            _, first, number = np.unique(
                np.array(self.frames.formulas)[known], return_index=True, return_counts=True
            )
            counts = compositions(self.frames[known[first]])[1] * np.sqrt(number)[:, None]
            basis, size, _ = np.linalg.svd(counts, full_matrices=False)
            basis = basis[:, size > size[0] * max(counts.shape) * np.finfo(float).eps]
            out[known[first]] = (number == 1) & ((basis**2).sum(axis=1) > 1 - 1e-9)
        return out

    @cached_property
    def by_element(self) -> Mapping[str, Deviation]:
        """Errors of the forces, eV/Å per component, on the atoms of each element."""
        known = np.repeat(self.frames.has_forces, self.frames.sizes)
        difference, numbers = self.prediction.forces - self.frames.forces, self.frames.numbers
        found = {
            chemical_symbols[z]: Deviation.of(difference[known & (numbers == z)])
            for z in np.unique(numbers).tolist()
        }
        return {element: deviation for element, deviation in found.items() if deviation is not None}

    @cached_property
    def by_molecule(self) -> Mapping[str, Deviations]:
        """Errors on the frames of each chemical formula, those with the most frames first."""
        count = self.frames.composition()
        formulas = np.array(self.frames.formulas)
        return {f: self._of(formulas == f) for f in sorted(count, key=lambda f: (-count[f], f))}

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know of the numbers."""
        found, whole, total = [], self.whole, len(self.frames)
        if whole.shifted and whole.aligned is not None:
            found.append(
                f"predicted energies lie a constant of {whole.constant:+.6g} eV per frame off the labels"
                f"{self._apart()}: the two count from different zeros, as other levels of theory and "
                "programs do. Look at the energy errors with the constant taken out; forces are not concerned"
            )
        lacking = total - int(np.isfinite(self.frames.energy).sum())
        if lacking > 0:
            found.append(f"{lacking} of {total} frames have no energy label: they count for forces alone")
        if (lone := int(self.alone.sum())) > 0:
            found.append(
                f"{lone} of {total} frames are the only one of their molecule and make up its constant: "
                "they do not count for energies with the constant taken out"
            )
        if (lacking := total - int(self.frames.has_forces.sum())) > 0:
            found.append(f"{lacking} of {total} frames have no force labels: they count for energies alone")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: energies in eV, forces in eV/Å."""
        return {
            **asdict(self.whole),
            "shifted": self.whole.shifted,
            "elements": {element: asdict(found) for element, found in self.by_element.items()},
            "molecules": {formula: asdict(found) for formula, found in self.by_molecule.items()},
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        whole, told = self.whole, []
        if whole.forces is not None:
            told.append(f"force MAE {1000 * whole.forces.mae:.4g}, RMSE {1000 * whole.forces.rmse:.4g} meV/Å")
        energy = whole.aligned if whole.shifted else whole.energy
        if energy is not None:
            how = ", constant taken out" if whole.shifted else ""
            told.append(f"energy MAE {1000 * energy.mae:.4g}, RMSE {1000 * energy.rmse:.4g} meV{how}")
        return f"Evaluation({whole.frames} frames; {'; '.join(told)})"

    def _apart(self) -> str:
        """Say that the constant of a frame depends on its molecule, where it does."""
        known = self.constants[np.isfinite(self.constants)]
        if not len(known) or float(np.ptp(known)) <= 1e-3:
            return ""
        return (
            f" in the median, from {known.min():+.6g} to {known.max():+.6g} eV by molecule (see their table)"
        )

    def _of(self, rows: BoolArray) -> Deviations:
        """Return the errors on some frames."""
        sizes = self.frames.sizes
        atoms = np.repeat(rows & self.frames.has_forces, sizes)
        energy = (self.prediction.energy - self.frames.energy)[rows]
        known = np.isfinite(energy)
        energy, constant, size = energy[known], self.constants[rows][known], sizes[rows][known]
        judged = ~self.alone[rows][known]
        rest = (energy - constant)[judged]
        return Deviations(
            frames=int(rows.sum()),
            forces=Deviation.of((self.prediction.forces - self.frames.forces)[atoms]),
            energy=Deviation.of(energy),
            energy_per_atom=Deviation.of(energy / size),
            constant=float(np.median(constant)) if len(constant) else None,
            aligned=Deviation.of(rest),
            aligned_per_atom=Deviation.of(rest / size[judged]),
        )


def evaluate(model: ForceField, frames: Frames) -> Evaluation:
    """Return the errors of a model on labelled frames.

    Parameters
    ----------
    model : a force field of any kind; `fidsel.models.Predictions` serves those of another program.
    frames : labelled frames that it was not trained on.

    Raises
    ------
    UsageError
        where no frame has a label, the model cannot treat one, or predicts what is no number.

    Examples
    --------
    >>> found = evaluate(model, read("test.extxyz"))  # doctest: +SKIP
    >>> found.whole.forces.mae, found.by_element["H"].rmse  # eV/Å  # doctest: +SKIP
    """
    if not (np.isfinite(frames.energy).any() or frames.has_forces.any()):
        raise UsageError(f"errors need labelled frames, none of the {len(frames)} has an energy or forces")
    prediction = model.predict(frames)
    _require_numbers(prediction, frames)
    return Evaluation(frames, prediction, energy_constants(frames, prediction.energy))


def dominates(mae: float, aligned: float, number: int) -> bool:
    """Return whether a constant between two energies makes up most of their error.

    Parameters
    ----------
    mae, aligned : eV, error of energies as they are, and with the constant taken out.
    number : energies that the second is of.
    """
    return number >= FEWEST and mae > DOMINANT * aligned and mae > 1e-6


def energy_constants(frames: Frames, energy: FloatArray) -> FloatArray:
    """Return (n_frames,) eV by which energies lie above those of the labels, as a sum over atoms.

    The median difference of each molecule is fitted by an energy per element, by least squares weighted by
    the molecule's frames; for one molecule it is that median. Medians, so that a few wrong labels do not
    shift the others.
    """
    known = np.flatnonzero(np.isfinite(frames.energy))
    out = np.full(len(frames), np.nan)
    if not len(known):
        return out
    difference = (energy - frames.energy)[known]
    names, first, molecule = np.unique(
        np.array(frames.formulas)[known], return_index=True, return_inverse=True
    )
    median = np.array([np.median(difference[molecule == m]) for m in range(len(names))])
    weights = np.bincount(molecule).astype(np.float64)
    fitted = EnergyReference.fit(frames[known[first]], median, weights)
    out[known] = fitted.energy(frames[known])
    return out


def _require_numbers(prediction: Prediction, frames: Frames) -> None:
    """Raise a `UsageError` where a model predicts NaN or infinities."""
    finite = np.isfinite(prediction.forces).all(axis=1)
    good = frames.per_frame(np.logical_and, finite) & np.isfinite(prediction.energy)
    if not good.all():
        bad: IntArray = np.flatnonzero(~good)
        raise UsageError(
            f"a model must predict numbers; it gives NaN or infinite ones for {len(bad)} of {len(frames)} "
            f"frames, the first is frame {bad[0]} ({frames.formulas[bad[0]]}): leave such frames out, or "
            "train the model again"
        )
