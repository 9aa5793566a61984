"""How wrong a model is on labelled frames."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray, shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField
from fidsel.selector.cluster_error import cluster_errors, worst_clusters

PERCENTILE = 99.0


@dataclass(frozen=True)
class Metrics:
    """Errors of a model on frames it was not trained on.

    ================ ====== =====================================================================
    field            unit   meaning
    ================ ====== =====================================================================
    frames                  how many
    force_mae, _rmse eV/Å   over all components; None where no frame has forces
    energy_mae, _rmse eV    of absolute energies per frame; None where no frame has an energy
    worst            eV/Å   mean RMSE of the five worst clusters with at least 20 frames; None
                            without, or where clusters were not looked at
    p99              eV/Å   99th percentile of the RMSE of a frame
    ================ ====== =====================================================================

    Where no frame has forces, `worst` and `p99` are of energies, in eV.
    """

    frames: int
    force_mae: float | None
    force_rmse: float | None
    energy_mae: float | None
    energy_rmse: float | None = None
    worst: float | None = None
    p99: float | None = None

    def __str__(self) -> str:
        force = None if self.force_mae is None else f"force MAE {1000 * self.force_mae:.3g} meV/Å"
        energy = None if self.energy_mae is None else f"energy MAE {1000 * self.energy_mae:.3g} meV"
        return ", ".join(part for part in (force, energy) if part)

    def error(self, measure: str = "mae") -> float:
        """Return the "mae" or "rmse" of forces, or of energies where no frame has forces."""
        forces, energy = self.force_mae, self.energy_mae
        if measure == "rmse":
            forces, energy = self.force_rmse, self.energy_rmse
        found = energy if forces is None else forces
        return float("nan") if found is None else found

    @property
    def headline(self) -> float:
        """The MAE of forces, or of energies where no frame has forces."""
        return self.error()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Errors:
    """Differences of a model's predictions from the labels of n frames, and what they come to.

    =========== ============ ====== ========================================
    field       shape        unit   meaning
    =========== ============ ====== ========================================
    offsets     (n + 1,)            where the atoms of each frame begin
    has_forces  (n,)                whether a frame has forces
    forces      (n_atoms, 3) eV/Å   predicted − labelled, NaN without label
    energies    (n,)         eV     the same, of absolute energies
    =========== ============ ====== ========================================

    What they come to is NaN where no frame, or a frame, has no such label.
    """

    offsets: IntArray
    has_forces: BoolArray
    forces: FloatArray
    energies: FloatArray
    __repr__ = shown

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, rows: IntArray) -> Self:
        """Return the errors on some of the frames."""
        sizes = self.sizes[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        # each frame's atoms follow each other: shift a running number to where the frame began
        atoms = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], sizes)
        return type(self)(offsets, self.has_forces[rows], self.forces[atoms], self.energies[rows])

    @property
    def sizes(self) -> IntArray:
        """(n,) atoms of each frame."""
        return np.diff(self.offsets)

    @property
    def force_mae(self) -> float:
        """Mean absolute error of the force components, eV/Å."""
        return _mean(np.abs(self.forces), self._labelled)

    @property
    def force_rmse(self) -> float:
        """Root-mean-square error of the force components, eV/Å."""
        return math.sqrt(_mean(self.forces**2, self._labelled))

    @property
    def energy_mae(self) -> float:
        """Mean absolute error of the energies, eV."""
        return _mean(self.per_frame_energy, np.isfinite(self.energies))

    @property
    def energy_rmse(self) -> float:
        """Root-mean-square error of the energies, eV."""
        return math.sqrt(_mean(self.per_frame_energy**2, np.isfinite(self.energies)))

    @property
    def per_frame_force_mae(self) -> FloatArray:
        """(n,) eV/Å, over the frame's 3N components."""
        return self._per_frame(np.abs(self.forces))

    @cached_property
    def per_frame_force_rmse(self) -> FloatArray:
        """(n,) eV/Å, over the frame's 3N components."""
        return np.sqrt(self._per_frame(self.forces**2))

    @property
    def per_frame_energy(self) -> FloatArray:
        """(n,) eV, |ΔE|."""
        return np.abs(self.energies)

    @property
    def per_frame(self) -> FloatArray:
        """(n,) what a frame is judged by: force RMSE in eV/Å, or |ΔE| in eV where no frame has forces."""
        return self.per_frame_force_rmse if self.has_forces.any() else self.per_frame_energy

    def metrics(self, clusters: IntArray | None = None) -> Metrics:
        """Return the errors of all frames together.

        Parameters
        ----------
        clusters : (n,) broad cluster of each frame; None = these are not looked at.

        Raises
        ------
        UsageError
            where no frame has a label.
        """
        known, worst = np.isfinite(self.per_frame), None
        each = self.per_frame[known]
        if clusters is not None:
            weights = self.sizes[known].astype(np.float64) if self.has_forces.any() else None
            worst = worst_clusters(cluster_errors(clusters[known], each, weights))
        return Metrics(
            frames=len(self),
            force_mae=_known(self.force_mae),
            force_rmse=_known(self.force_rmse),
            energy_mae=_known(self.energy_mae),
            energy_rmse=_known(self.energy_rmse),
            worst=worst,
            p99=float(np.percentile(each, PERCENTILE)) if len(each) else None,
        )

    @property
    def _labelled(self) -> BoolArray:
        """(n_atoms,) atoms of frames with forces."""
        return np.repeat(self.has_forces, self.sizes)

    def _per_frame(self, components: FloatArray) -> FloatArray:
        means: FloatArray = np.add.reduceat(components.mean(axis=1), self.offsets[:-1]) / self.sizes
        return np.where(self.has_forces, means, np.nan)


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
    return Errors(
        frames.offsets,
        frames.has_forces,
        prediction.forces - frames.forces,
        prediction.energy - frames.energy,
    )


def frame_errors(model: ForceField, frames: Frames) -> FloatArray:
    """Return (n,) error of a model on each labelled frame, see `Errors.per_frame`."""
    return errors(model, frames).per_frame


def validation_error(model: ForceField, frames: Frames) -> float:
    """Return the force MAE in eV/Å, or the energy MAE in eV where no frame has forces."""
    found = errors(model, frames)
    return found.force_mae if frames.has_forces.any() else found.energy_mae


def _mean(values: FloatArray, rows: BoolArray) -> float:
    return float(values[rows].mean()) if rows.any() else float("nan")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
