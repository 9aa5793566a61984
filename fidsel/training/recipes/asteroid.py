"""Recipe `asteroid`: pre-train on cheap labels, by their bias if asked, fine-tune on accurate ones."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from fidsel.arguments import Fraction, PositiveFloat, check_arguments, refuse_unused
from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import validation_error
from fidsel.training.labels import centred, level_of
from fidsel.training.optimise.sweep import Sweep
from fidsel.training.recipes.cheap import EnergyLabels, cheap_parts
from fidsel.training.recipes.dispatch import require_network
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import ModelFactory, Recipe, Stage, Trained, TrainingData
from fidsel.training.weights.teachers import Teachers, Teaching, teach

IDENTIFY = Stage("identify", learning_rate=4e-3, validate_every=100)
PRETRAIN = Stage("pre-train", learning_rate=4e-3, batch=16, validate_every=200)
FINETUNE = Stage("fine-tune", learning_rate=1e-3, validate_every=100)
TEACHING = Teaching()


@dataclass(frozen=True, kw_only=True)
class Asteroid(Recipe):
    """Pre-training on cheap labels, weighed by their bias if asked, then fine-tuning on accurate ones.

    ASTEROID (Bukharin et al. 2023, DOI 10.48550/arXiv.2306.03109), as published with `bias_weights`:

    1. θ₀: train on the accurate frames (`identify`).
    2. B_j: mean |F(x_j; θ₀) − f_j| of each cheap frame.
    3. w_j ∝ exp(−B_j / γ), mean 1.
    4. Pre-train on the weighted cheap frames, cheapest level first (`pretrain`).
    5. Fine-tune on the accurate frames (`finetune`).
    6. Steps 3–5 for every γ, side by side; the γ with the smallest error on the accurate validation
       frames is kept (force MAE, or energy MAE where they have no forces).

    By default all cheap frames count the same, which leaves steps 4 and 5: it was better than the
    published rule in our benchmark (`benchmarks/bias_weights.py`).

    A state is never given up for a worse one: should fine-tuning have raised the error on the accurate
    validation frames above that of the pre-trained state, or of θ₀ where there is one, the best of them
    is returned and `kept` says which.

    Parameters
    ----------
    identify : S1, the model that measures the bias of cheap labels, where asked for; and the control arm's.
    pretrain : S4, on cheap labels.
    finetune : S5, on accurate labels.
    gammas : γ of the bias weights exp(−B/γ); the best on the validation labels is kept.
    relative_to : what γ is relative to: the median bias, or its unit, eV/Å.
    bias_weights : true weighs cheap frames by their bias, as published; all alike (γ = ∞) were better in our
        benchmark.
    teaching : who measures the bias; one network by default, as published.
    fine_tune : false stops after pre-training.
    energy_labels : what stands for the cheap energies: they themselves, aligned with the accurate level,
        those of the teacher θ₀, or none.
    held_out : part of each cheap level that validates its pre-training and no level trains on.

    Returns
    -------
    The model, the histories of the best teacher and the kept γ, and diagnostics: `gamma`,
    `validation_error` (of each state), `gammas` (error for each), `levels` (frames dropped, alignment,
    bias, weights, and the errors on held-out cheap frames before and after fine-tuning), `kept`,
    `teaching`, `warnings`.

    Raises
    ------
    UsageError
        for a model with a closed-form fit, without cheap frames, or with labels that do not fit.
    """

    kind: ClassVar[str] = "asteroid"
    needs_network: ClassVar[bool] = True
    has_surrogates: ClassVar[bool] = True

    identify: Stage = IDENTIFY
    pretrain: Stage = PRETRAIN
    finetune: Stage = FINETUNE
    gammas: tuple[PositiveFloat, ...] = (0.1, 0.5, 1.0, 2.0)
    relative_to: Literal["median", "absolute"] = "median"
    bias_weights: bool = False
    teaching: Teaching = TEACHING
    fine_tune: bool = True
    energy_labels: EnergyLabels = "aligned"
    held_out: Fraction = 0.1

    def __post_init__(self) -> None:
        check_arguments(self)
        taught = ("teaching",) if self.energy_labels != "teacher" else ()
        refuse_unused(self, "bias_weights", "gammas", "relative_to", *taught)
        if self.bias_weights and not self.gammas:
            raise UsageError("bias_weights = true needs at least one of gammas, got none")

    @property
    def taught(self) -> bool:
        """Whether a teacher of the accurate labels judges the cheap ones."""
        return self.bias_weights or self.energy_labels == "teacher"

    @property
    def first(self) -> Stage:
        """The stage of the teacher."""
        return self.identify

    def stages(self, levels: int) -> tuple[Stage, ...]:
        """Return the stages of teacher, pre-training and fine-tuning."""
        taught, tuned = self.taught * (self.identify,), self.fine_tune * (self.finetune,)
        return (*taught, *levels * (self.pretrain,), *tuned)

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return a network pre-trained on cheap labels and fine-tuned on accurate ones; see `Recipe`."""
        start = require_network(model(seed), self.kind)
        self.require(type(start), len(data.cheap))
        teachers = teach(model, data, self.identify, self.teaching, seed, watch) if self.taught else None
        scale = data.train if self.energy_labels == "aligned" else None
        sweep = Sweep(start, self.gammas if self.bias_weights else (), seed, watch)
        for part in cheap_parts(data.cheap, data.validation, scale, held_out=self.held_out, seed=seed):
            bias = teachers.bias(part.train) if teachers and self.bias_weights else None
            labelled = part.labelled_by(self.energy_labels, teachers)
            sweep.pretrain(part, labelled, self.pretrain, bias, self.relative_to)
        chosen = _choose(sweep, data, self.finetune if self.fine_tune else None, teachers)
        return Trained(
            chosen.model,
            (*([teachers.history] if teachers else ()), *sweep.histories(chosen.member)),
            chosen.diagnostics | {"warnings": (*sweep.warnings(chosen.member), *chosen.warnings)},
            sweep.surrogates(chosen.member),
        )


@dataclass(frozen=True)
class _Choice:
    """The member of the γ search and the state along its way that are best."""

    member: int
    model: NetworkForceField
    diagnostics: dict[str, Any]
    warnings: tuple[str, ...]


def _choose(sweep: Sweep, data: TrainingData, stage: Stage | None, teachers: Teachers | None) -> _Choice:
    """Fine-tune where there is a stage, and choose the best γ, then the best state on its way."""
    level = level_of(data.train)
    before = [centred(m.replace(level=level), data.train) for m in sweep.models]
    after = before if stage is None else sweep.finetune(data.train, data.validation, stage)
    scores = [validation_error(model, data.validation) for model in after]
    best = int(np.argmin(scores))
    # Latest first: of equal errors the first counts.
    states = {} if stage is None else {"fine-tune": after[best]}
    states["pre-train"] = before[best]
    if stage is not None and teachers is not None:
        states["identify"] = teachers.best
    kept = keep_best(states, data.validation)
    diagnostics = {
        "gamma": sweep.gammas[best] if sweep.gammas else None,
        "gammas": dict(zip(map(str, sweep.gammas), scores, strict=False)),
        "teaching": None if teachers is None else teachers.report(),
        "levels": sweep.levels if stage is None else sweep.forgotten(before[best], after[best]),
    }
    return _Choice(best, kept.model, kept.report() | diagnostics, kept.warnings)
