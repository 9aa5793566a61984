"""Recipe `cokriging`: a surrogate of many cheap labels plus a residual learnt from few accurate ones."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fidsel.data import Frames, leaks, split
from fidsel.data.frames import FloatArray
from fidsel.errors import UsageError
from fidsel.models import SGDML, ForceField, Sum
from fidsel.training.fit_any import fit_any
from fidsel.training.stage import History, ModelFactory, Stage, Surrogate, Trained, TrainingData

LEAK = 1e-3
"""Å; cheap frames this close to a validation frame are left out."""


def cokriging(
    data: TrainingData,
    model: ModelFactory,
    seed: int,
    *,
    surrogate: ModelFactory | None = None,
    stage: Stage | None = None,
    surrogate_stage: Stage | None = None,
    held_out: float = 0.1,
    bias_weights: bool = False,
    gamma: float = 1.0,
) -> Trained:
    """Return the sum of a model of the cheap labels and a model of what they lack.

    Autoregressive co-kriging (Kennedy & O'Hagan 2000, DOI 10.1093/biomet/87.1.1) with levels 1 … L,
    cheapest first: f_1 is fitted to the labels y_1, then each r_k to y_k − f_{k−1} on the frames of
    level k, and f_k = f_{k−1} + r_k. It needs no cheap calculation to predict and no frame labelled
    at two levels. Energies of different levels need no alignment: the constant between two levels is
    the energy constant of their residual.

    Parameters
    ----------
    data : its validation frames choose the last residual's settings; each cheap level's settings are
        chosen on a part of its own frames.
    model : builds the residual model; closed-form (`Fittable`) or a network.
    seed : decides initial parameters, batches and held-out cheap frames.
    surrogate : builds the models of the cheap levels; None = as `model`.
    stage, surrogate_stage : how networks are trained; unused by closed-form models.
    held_out : fraction of each cheap level that validates it: whole groups, or blocks of one trajectory.
    bias_weights : weigh cheap frames by w_j = exp(−B_j / γ median B), B_j the mean absolute difference
        between the cheap forces and those of a model of the accurate labels alone. A kernel takes
        them as noise λ/w_j, so they matter where λ does.
    gamma : γ, in units of the median bias.

    Raises
    ------
    UsageError
        where there are no cheap frames, or a model cannot learn from the labels there are.
    """
    if not data.cheap:
        raise UsageError("cokriging needs cheap frames, got none: use recipe 'standard'")
    stage = stage or Stage(name="residual")
    histories: list[History] = []
    teacher = None
    if bias_weights:
        named = replace(stage, name="teacher")
        teacher, history = fit_any(model(seed), data.train, data.validation, named, seed=seed)
        histories.append(history)
    chain, surrogates, levels = _Chain(seed), [], []
    for frames in data.cheap:
        part = _cheap_part(frames, data.validation, held_out, seed)
        weights = None if teacher is None else _bias_weights(teacher, part.train, gamma)
        named = replace(surrogate_stage or stage, name=f"surrogate {part.level}".strip())
        histories.append(
            chain.extend((surrogate or model)(seed), part.train, part.validation, named, weights)
        )
        surrogates.append(Surrogate(part.level, chain.total(), part.validation.ids))
        levels.append(part.record() | _weight_record(weights))
    histories.append(chain.extend(model(seed), data.train, data.validation, stage))
    diagnostics = {
        "levels": levels,
        "surrogate_validation": _force_errors(surrogates[-1].model, data.validation),
        "validation": _force_errors(chain.total(), data.validation),
    }
    return Trained(chain.total(), tuple(histories), diagnostics, tuple(surrogates))


class _Chain:
    """f_k = f_{k−1} + r_k, grown level by level."""

    def __init__(self, seed: int) -> None:
        self.parts: list[ForceField] = []
        self.seed = seed

    def extend(
        self,
        model: ForceField,
        train: Frames,
        validation: Frames,
        stage: Stage,
        weights: FloatArray | None = None,
    ) -> History:
        """Fit a model to what the chain lacks of some labels, and add it."""
        if self.parts:
            model = _informed(model, self.parts[0])
            train, validation = self._lacking(train), self._lacking(validation)
        fitted, history = fit_any(model, train, validation, stage, weights, seed=self.seed)
        self.parts.append(fitted)
        return history

    def total(self) -> ForceField:
        """Return the sum of the parts, at the level of the last."""
        first, last = self.parts[0], self.parts[-1]
        return first if first is last else Sum(self.parts, last.level)

    def _lacking(self, frames: Frames) -> Frames:
        predicted = self.total().predict(frames)
        return frames.replace(
            energy=frames.energy - predicted.energy, forces=frames.forces - predicted.forces
        )


@dataclass(frozen=True)
class _CheapPart:
    """One cheap level, without leaks, split for its own fit."""

    level: str
    train: Frames
    validation: Frames
    leaks: int

    def record(self) -> dict[str, Any]:
        """Return the counts for the diagnostics."""
        return {
            "level": self.level,
            "train": len(self.train),
            "validation": len(self.validation),
            "dropped_near_validation": self.leaks,
        }


def _cheap_part(frames: Frames, accurate_validation: Frames, held_out: float, seed: int) -> _CheapPart:
    leaked = leaks(frames, accurate_validation, LEAK)
    kept = frames[np.setdiff1d(np.arange(len(frames)), leaked)]
    if len(kept) < 2:
        raise UsageError(
            f"a cheap level needs two frames or more that are no validation frames, got {len(kept)} "
            f"({len(leaked)} coincide with validation frames)"
        )
    sides = split(kept, {"train": 1 - held_out, "validation": held_out}, seed=seed)
    return _CheapPart(str(kept.level[0]), sides["train"], sides["validation"], len(leaked))


def _informed(model: ForceField, surrogate: ForceField) -> ForceField:
    """Return the residual's model with the symmetries that the many cheap frames have shown."""
    if isinstance(model, SGDML) and isinstance(surrogate, SGDML) and model.symmetries is True:
        return model.with_symmetries(surrogate.permutations)
    return model


def _force_errors(model: ForceField, frames: Frames) -> dict[str, float]:
    """Return force MAE and RMSE in eV/Å, per component; nothing where no frame has forces."""
    known = frames[frames.has_forces]
    if not len(known):
        return {}
    difference = model.predict(known).forces - known.forces
    return {
        "force_mae": float(np.abs(difference).mean()),
        "force_rmse": float(np.sqrt((difference**2).mean())),
    }


def _bias_weights(teacher: ForceField, frames: Frames, gamma: float) -> FloatArray:
    """Return (n,) weights of mean 1 from the mean absolute force difference to the teacher."""
    difference = np.abs(teacher.predict(frames).forces - frames.forces).mean(1)
    bias = np.add.reduceat(difference, frames.offsets[:-1]) / np.diff(frames.offsets)
    weights = np.exp(-(bias - bias.min()) / (gamma * np.median(bias)))
    scaled: FloatArray = weights / weights.mean()
    return scaled


def _weight_record(weights: FloatArray | None) -> dict[str, float]:
    """Return the effective sample size (Σw)²/Σw² and the range of the weights."""
    if weights is None:
        return {}
    return {
        "effective_size": float(weights.sum() ** 2 / (weights**2).sum()),
        "smallest_weight": float(weights.min()),
        "largest_weight": float(weights.max()),
    }
