"""How wrong a model is on labelled frames."""

from dataclasses import dataclass

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of a model on labelled frames; NaN where no frame has the label.

    ===================== =========== ====== =====================================================
    field                 shape       unit   meaning
    ===================== =========== ====== =====================================================
    force_mae             scalar      eV/Å   mean over all components
    force_rmse            scalar      eV/Å   over all components
    energy_mae            scalar      eV     mean |ΔE|, of absolute energies
    energy_rmse           scalar      eV
    per_frame_force_mae   (n_frames,) eV/Å   over the frame's 3N components, NaN without forces
    per_frame_force_rmse  (n_frames,) eV/Å   the same
    per_frame_energy      (n_frames,) eV     |ΔE|, NaN without energy
    ===================== =========== ====== =====================================================
    """

    force_mae: float
    force_rmse: float
    energy_mae: float
    energy_rmse: float
    per_frame_force_mae: FloatArray
    per_frame_force_rmse: FloatArray
    per_frame_energy: FloatArray
    __repr__ = shown


def errors(model: ForceField, frames: Frames) -> Errors:
    """Return the errors of a model on labelled frames; no constant is taken out of the energies.

    Raises
    ------
    UsageError
        where no frame has a label.
    """
    if not (np.isfinite(frames.energy).any() or frames.has_forces.any()):
        raise UsageError(f"errors need labelled frames, none of the {len(frames)} has an energy or forces")
    prediction = model.predict(frames)
    difference = prediction.forces - frames.forces
    sizes = np.diff(frames.offsets)
    atoms = np.repeat(frames.has_forces, sizes)

    def per_frame(components: FloatArray) -> FloatArray:
        means: FloatArray = np.add.reduceat(components.mean(axis=1), frames.offsets[:-1]) / sizes
        return np.where(frames.has_forces, means, np.nan)

    energy = np.abs(prediction.energy - frames.energy)
    known = np.isfinite(energy)
    return Errors(
        force_mae=_mean(np.abs(difference), atoms),
        force_rmse=_mean(difference**2, atoms) ** 0.5,
        energy_mae=_mean(energy, known),
        energy_rmse=_mean(energy**2, known) ** 0.5,
        per_frame_force_mae=per_frame(np.abs(difference)),
        per_frame_force_rmse=np.sqrt(per_frame(difference**2)),
        per_frame_energy=energy,
    )


def frame_errors(model: ForceField, frames: Frames, forces: bool) -> FloatArray:
    """Return (n,) error of a model on each labelled frame: force RMSE in eV/Å, or |ΔE| in eV."""
    found = errors(model, frames)
    return found.per_frame_force_rmse if forces else found.per_frame_energy


def validation_error(model: ForceField, frames: Frames) -> float:
    """Return the force MAE in eV/Å, or the energy MAE in eV where no frame has forces."""
    found = errors(model, frames)
    return found.force_mae if frames.has_forces.any() else found.energy_mae


def _mean(values: FloatArray, rows: BoolArray) -> float:
    return float(values[rows].mean()) if rows.any() else float("nan")
