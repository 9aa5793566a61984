"""Bias of cheap labels against a teacher trained on accurate ones, and the weights that follow."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField, Prediction
from fidsel.training.recipes.align import align

FEW = 0.1
"""Effective sample size, as a fraction of the frames, below which a warning is due."""


@dataclass(frozen=True, eq=False)
class Bias:
    """How far each cheap label is from the teacher.

    Parameters
    ----------
    values : (n_frames,) eV/Å, or eV per atom where the frames have energies only.
    unit : "eV/Å" or "eV/atom".
    measured : (n_frames,) the difference from the teacher, where its expected error was taken out of it.
    """

    values: FloatArray
    unit: str
    measured: FloatArray | None = None

    @property
    def typical(self) -> float:
        """Median of the difference that was measured: what a relative γ is relative to."""
        return float(np.median(self.values if self.measured is None else self.measured))

    def less(self, expected: FloatArray) -> Self:
        """Return the bias without the error expected of the teacher, √max(B² − e², 0).

        The error of a teacher and the bias of a label are independent, so their squares add.

        Parameters
        ----------
        expected : (n_frames,) e_j ≥ 0, in the unit of the bias.
        """
        own = np.sqrt(np.maximum(self.values**2 - expected**2, 0.0))
        return replace(self, values=own, measured=self.values)

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        low, median, high = (float(f(self.values)) for f in (np.min, np.median, np.max))
        found = {"unit": self.unit, "min": low, "median": median, "max": high}
        if self.measured is None:
            return found
        hidden = float(np.mean(self.values == 0))
        return found | {"median_with_teacher_error": self.typical, "within_teacher_error": hidden}


def frame_bias(taught: Prediction, frames: Frames, *, energies_only: bool = False) -> Bias:
    """Return B_j = mean over components of |F(x_j; θ₀) − f_j|, ASTEROID eq. 4 as a mean.

    The mean keeps B on one scale whatever the size of a molecule. Where the frames, or the teacher's own
    labels, have no forces, B_j = |ΔE_j| / n_atoms; those energies must be aligned with the teacher's level.
    Raises a `UsageError` where some frames have forces and others none, or there are neither forces nor
    energies.

    Parameters
    ----------
    taught : what θ₀, trained on accurate labels, predicts for the frames.
    frames : labelled at the cheap level.
    energies_only : the teacher was trained on energies alone.
    """
    if frames.has_forces.all() and not energies_only:
        difference = np.abs(taught.forces - frames.forces).mean(axis=1)
        return Bias(frames.mean_per_frame(difference), "eV/Å")
    if (energies_only or not frames.has_forces.any()) and np.isfinite(frames.energy).all():
        return Bias(np.abs(taught.energy - frames.energy) / frames.sizes, "eV/atom")
    raise UsageError(
        f"bias weights need forces on all cheap frames, or energies on all: {frames.has_forces.sum()} of "
        f"{len(frames)} have forces, {np.isfinite(frames.energy).sum()} energies"
    )


def comparable(frames: Frames, accurate: Frames) -> tuple[Frames, bool]:
    """Return cheap frames whose labels can be compared with the accurate level, and if by energies only.

    Energies are aligned where either level has nothing else, see `align`.
    """
    energies_only = not accurate.has_forces.any()
    if energies_only or not frames.has_forces.any():
        frames = align(frames, accurate).frames
    return frames, energies_only


def level_bias(teacher: ForceField, frames: Frames, accurate: Frames) -> Bias:
    """Return the bias of the labels of a cheap level against a teacher trained on accurate ones.

    Forces are compared; where either level has energies only, energies are, aligned first.
    """
    frames, energies_only = comparable(frames, accurate)
    return frame_bias(teacher.predict(frames), frames, energies_only=energies_only)


@dataclass(frozen=True, eq=False)
class BiasWeights:
    """Weights of cheap frames and how much data they leave.

    Parameters
    ----------
    weights : (n_frames,) w_j, mean 1.
    gamma : γ as asked for.
    scale : γ in the unit of the bias.
    """

    weights: FloatArray
    gamma: float
    scale: float

    @property
    def effective(self) -> float:
        """Effective sample size (Σw)² / Σw²."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    def warning(self) -> str | None:
        """Return what to worry about, if anything."""
        if self.effective >= FEW * len(self.weights):
            return None
        return (
            f"γ = {self.gamma:g} leaves an effective {self.effective:.1f} of {len(self.weights)} cheap "
            "frames: take a larger γ (recipe.gammas, or recipe.gamma)"
        )

    def report(self) -> dict[str, Any]:
        """Return plain values for a record."""
        return {
            "gamma": self.gamma,
            "scale": self.scale,
            "effective_sample_size": self.effective,
            "weight_min": float(self.weights.min()),
            "weight_median": float(np.median(self.weights)),
            "weight_max": float(self.weights.max()),
        }


def weights_from_bias(
    bias: FloatArray,
    gamma: float,
    relative_to: Literal["median", "absolute"] = "median",
    median: float | None = None,
) -> BiasWeights:
    """Return w_j ∝ exp(−B_j / γ), scaled to mean 1 so that γ does not change the learning rate.

    Parameters
    ----------
    bias : (n_frames,) B_j ≥ 0.
    gamma : γ > 0, in units of the median of B, or in those of B itself where "absolute".
    median : to take in place of the median of `bias`, see `Bias.typical`.

    Examples
    --------
    >>> weights_from_bias(np.array([0.1, 0.1, 0.3]), gamma=1.0).weights.round(3).tolist()
    [1.405, 1.405, 0.19]
    """
    if not gamma > 0:
        raise UsageError(f"gamma must be positive, got {gamma}")
    if not (len(bias) and np.isfinite(bias).all() and (bias >= 0).all()):
        raise UsageError("bias must be finite and ≥ 0 for at least one frame")
    median = float(np.median(bias)) if median is None else median
    scale = gamma * median if relative_to == "median" else gamma
    if scale == 0:
        raise UsageError("the median bias is zero: cheap labels equal the teacher's, use absolute γ")
    # Against the smallest bias the largest weight is 1: nothing underflows, and the mean cancels it.
    raw = np.exp(-(bias - bias.min()) / scale)
    return BiasWeights(raw / raw.mean(), gamma, scale)
