"""Recipe `cokriging`: a surrogate of many cheap labels plus a residual learnt from few accurate ones."""

from copy import copy
from dataclasses import dataclass, replace
from math import hypot
from typing import ClassVar

import numpy as np

from fidsel.arguments import Fraction, PositiveFloat, check_arguments, refuse_unused
from fidsel.arrays import IntArray
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.data.lookup import Lookup
from fidsel.models import ForceField, Offset, Sum
from fidsel.models.contract import Prediction
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import errors
from fidsel.training.labels import level_of
from fidsel.training.recipes.cheap import cheap_parts
from fidsel.training.recipes.dispatch import takes_steps, train_one
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import History, ModelFactory, Recipe, Stage, Surrogate, Trained, TrainingData
from fidsel.training.weights.bias import BiasWeights, level_bias, weights_from_bias

RESIDUAL = Stage("residual", learning_rate=4e-3, validate_every=100)
SURROGATE = replace(RESIDUAL, name="surrogate")


@dataclass(frozen=True, kw_only=True)
class Cokriging(Recipe):
    """A surrogate fitted to cheap labels plus a model of the residual (co-kriging).

    Autoregressive co-kriging (Kennedy & O'Hagan 2000, DOI 10.1093/biomet/87.1.1) with levels 1 … L,
    cheapest first: f_1 is fitted to the labels y_1, then each r_k to y_k − y_{k−1} on frames of level k that
    have both labels and to y_k − f_{k−1} on the others, and f_k = f_{k−1} + r_k: the paper's scale factor ρ
    is 1. It needs no cheap calculation to predict and no frame labelled at two levels. Energies of different
    levels need no alignment: the constant between two levels is the energy constant of their residual.

    The validation frames choose the last residual's settings; each cheap level's settings are chosen on a
    part of its own frames, which a kernel with a factor then learns, too. They also choose what is returned,
    and `kept` says which: the sum, the surrogate at the accurate level's energies or, where the residual is
    a closed-form fit, one to the accurate labels alone, as few cheap labels may make the sum worse than that.
    Few validation frames choose badly: where both have a leave-one-out error (closed-form fits of few
    labels), the sum is given up only for what has the smaller one, too, or less than half of its validation
    error (`keep_best`).
    Kernels with solver "auto" are solved as "quick" says.
    With `bias_weights` cheap frames weigh w_j = exp(−B_j / γ median B), B_j the mean absolute difference
    between the cheap forces (or energies, see `level_bias`) and those of a model of the accurate labels
    alone. A kernel takes them as noise λ/w_j, so they matter where λ does.

    Parameters
    ----------
    surrogate : model of the cheap levels, written as a `[model]` section; by default as the residual's.
    stage : how the residual is trained where it is a network.
    surrogate_stage : how the surrogate is trained where it is a network.
    held_out : part of each cheap level that validates the surrogate and no level trains on, in short blocks
        of the trajectories.
    bias_weights : weigh cheap frames by their bias.
    gamma : γ of those weights, in units of the median bias.

    Raises
    ------
    UsageError
        where there are no cheap frames, or a model cannot learn from the labels there are.
    """

    kind: ClassVar[str] = "cokriging"
    has_surrogates: ClassVar[bool] = True

    surrogate: ModelFactory | None = None
    stage: Stage = RESIDUAL
    surrogate_stage: Stage = SURROGATE
    held_out: Fraction = 0.1
    bias_weights: bool = False
    gamma: PositiveFloat = 1.0

    def __post_init__(self) -> None:
        check_arguments(self)
        refuse_unused(self, "bias_weights", "gamma")

    @property
    def first(self) -> Stage:
        """The stage of the residual."""
        return self.stage

    def stages(self, levels: int) -> tuple[Stage, ...]:
        """Return the stages of teacher, surrogates and residual; a closed-form fit has none."""
        learns = self.surrogate is None or takes_steps(self.surrogate(seed=0))
        surrogates = learns * levels * (self.surrogate_stage,)
        return (*self.bias_weights * (self.stage,), *surrogates, self.stage)

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return the sum of a model of the cheap labels and a model of what they lack; see `Recipe`."""
        self.require(None, len(data.cheap))
        stage, weighed = self.stage, self.bias_weights
        teacher, histories = _teacher(data, model, stage, seed, watch) if weighed else (None, [])
        chain, surrogates, levels, warnings = _Chain(seed, watch), [], [], []
        parts = cheap_parts(data.cheap, data.validation, None, held_out=self.held_out, seed=seed)
        for part, given in zip(parts, data.cheap, strict=True):
            bias = None if teacher is None else level_bias(teacher, part.train, data.train)
            weights = None if bias is None else weights_from_bias(bias.values, self.gamma)
            named = replace(self.surrogate_stage, name=f"{self.surrogate_stage.name} {part.level}".strip())
            fresh = (self.surrogate or model)(seed)
            histories.append(chain.extend(fresh, part.train, part.validation, named, weights))
            chain.remember(given)
            surrogates.append(Surrogate(part.level, chain.total(), part.validation.ids))
            levels.append(part.report() | ({} if weights is None else {"weights": weights.report()}))
            if weights is not None and (text := weights.warning()):
                warnings.append(f"{part.level}: {text}")
        # frames whose cheap label was known do not show the surrogate's error: it is added as if independent
        unseen = errors(surrogates[-1].model, parts[-1].validation).force_rmse
        hidden = unseen * chain.known(data.train) ** 0.5
        chain.take_back()
        before = chain.moved(data.train)
        histories.append(chain.extend(model(seed), data.train, data.validation, stage))
        states: dict[str, ForceField] = {"residual": chain.total(), "surrogate": before}
        left = {
            "residual": None if chain.residual_error is None else hypot(chain.residual_error, hidden),
            "surrogate": hypot(errors(before, data.train).force_rmse, hidden),
        }
        if teacher is not None:
            states["teacher"] = teacher
        elif not takes_steps(model(seed)):  # a network would take as many steps again
            states["standard"], history, left["standard"] = chain.alone(model(seed), data, stage)
            histories.append(history)
        kept = keep_best(states, data.validation, left, len(data.train))
        diagnostics = {
            "levels": levels,
            "surrogate_validation": errors(surrogates[-1].model, data.validation).metrics().to_dict(),
            "validation": errors(kept.model, data.validation).metrics().to_dict(),
            **kept.report(),
            "warnings": (*warnings, *kept.warnings),
        }
        return Trained(kept.model, tuple(histories), diagnostics, tuple(surrogates))


def _teacher(
    data: TrainingData, model: ModelFactory, stage: Stage, seed: int, watch: Watch
) -> tuple[ForceField, list[History]]:
    """Return a model of the accurate labels alone, and its history."""
    named = replace(stage, name="teacher")
    teacher, history = train_one(model(seed), data.train, data.validation, named, seed=seed, watch=watch)
    return teacher, [history]


class _Chain:
    """f_k = f_{k−1} + r_k, grown level by level."""

    def __init__(self, seed: int, watch: Watch) -> None:
        self.parts: list[ForceField] = []
        self._labels: Frames | None = None  # all of the last level, held out or not
        self._lookup: Lookup | None = None  # of these
        self._whole: list[ForceField] = []  # the parts, with the frames that validated them taken back
        self.residual_error: float | None = None  # leave-one-out error of the last part
        self.seed, self.watch = seed, watch

    def extend(
        self,
        model: ForceField,
        train: Frames,
        validation: Frames,
        stage: Stage,
        weights: BiasWeights | None = None,
    ) -> History:
        """Fit a model to what the chain lacks of some labels, and add it."""
        model = model.correcting(self.parts[0] if self.parts else None)
        if self.parts:
            train, validation = self._lacking(train), self._lacking(validation)
        importance = None if weights is None else weights.weights
        fitted, history = train_one(
            model, train, validation, stage, importance, seed=self.seed, watch=self.watch
        )
        self.residual_error = fitted.leave_one_out() if self.parts else None
        whole = fitted.completed(validation) if weights is None else fitted
        # a copy of a kernel leaves its factor, which may take gigabytes
        self.parts.append(copy(fitted))
        self._whole.append(copy(whole))
        return history

    def remember(self, labels: Frames) -> None:
        """Take all labels of the last level, for frames of the next that are among them."""
        self._labels, self._lookup = labels, Lookup(labels)

    def take_back(self) -> None:
        """Let the parts learn, too, what validated them."""
        self.parts = list(self._whole)

    def known(self, frames: Frames) -> float:
        """Return the part of the frames that have a label of the level below."""
        return float((self._find(frames) >= 0).mean())

    def alone(
        self, model: ForceField, data: TrainingData, stage: Stage
    ) -> tuple[ForceField, History, float | None]:
        """Return a model of the accurate labels alone, with the symmetries of the chain.

        Its history and leave-one-out error come with it.
        """
        fitted, history = train_one(
            model.correcting(self.parts[0]),
            data.train,
            data.validation,
            replace(stage, name="standard"),
            seed=self.seed,
            watch=self.watch,
        )
        return copy(fitted), history, fitted.leave_one_out()

    def total(self) -> ForceField:
        """Return the sum of the parts, at the level of the last."""
        first, last = self.parts[0], self.parts[-1]
        return first if first is last else Sum(self.parts, last.level)

    def moved(self, frames: Frames) -> Sum:
        """Return the sum of the parts at the energies and the level of other frames."""
        missing = Offset.matching(above(frames, self.total().predict(frames)))
        return Sum([*self.parts, missing], level_of(frames))

    def _lacking(self, frames: Frames) -> Frames:
        """Return frames with what the level below lacks of their labels: its own labels, where it has any.

        Elsewhere its model stands for them, and the next model has to learn the error of this one, too. On
        aspirin (40 CCSD labels, a trial that no script here repeats) residuals of true pairs took a third off
        the error.
        """
        below = self.total().predict(frames)
        rows = self._find(frames)
        if self._labels is None or not (paired := rows >= 0).any():
            return above(frames, below)
        atoms = np.repeat(paired, frames.sizes)
        known, energy, forces = self._labels[rows[paired]], below.energy.copy(), below.forces.copy()
        energy[paired] = np.where(np.isfinite(known.energy), known.energy, energy[paired])
        forces[atoms] = np.where(np.isfinite(known.forces), known.forces, forces[atoms])
        return above(frames, Prediction(energy, forces))

    def _find(self, frames: Frames) -> IntArray:
        """Return (n,) the row of each frame's label of the level below, −1 where it has none."""
        return np.full(len(frames), -1) if self._lookup is None else self._lookup.find(frames)
