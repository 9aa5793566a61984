"""Recipe `asteroid`: pre-train on cheap labels, by their bias if asked, fine-tune on accurate ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import validation_error
from fidsel.training.labels import centred, level_of
from fidsel.training.optimise.sweep import Sweep
from fidsel.training.recipes.cheap import EnergyLabels, cheap_parts, check_energy_labels
from fidsel.training.recipes.dispatch import require_network
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import ModelFactory, Stage, Trained, TrainingData
from fidsel.training.weights.bias import check_weighing
from fidsel.training.weights.teachers import Teachers, Teaching, teach

IDENTIFY = Stage("identify", steps=2000, learning_rate=4e-3, validate_every=100)
PRETRAIN = Stage("pre-train", steps=3000, learning_rate=4e-3, batch=16, validate_every=200)
FINETUNE = Stage("fine-tune", steps=2000, learning_rate=1e-3, validate_every=100)
GAMMAS = (0.1, 0.5, 1.0, 2.0)
PLAIN = Teaching()


def asteroid(
    data: TrainingData,
    model: ModelFactory,
    seed: int,
    *,
    identify: Stage = IDENTIFY,
    pretrain: Stage = PRETRAIN,
    finetune: Stage = FINETUNE,
    gammas: Sequence[float] = GAMMAS,
    relative_to: Literal["median", "absolute"] = "median",
    energy_labels: EnergyLabels = "aligned",
    held_out: float = 0.1,
    bias_weights: bool = False,
    teaching: Teaching = PLAIN,
    fine_tune: bool = True,
    watch: Watch = QUIET,
) -> Trained:
    """Return a network pre-trained on cheap labels and fine-tuned on accurate ones.

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
    data : accurate training and validation frames; cheap frames, one set per level, cheapest first.
    model : builds a network.
    seed : decides initial parameters, batches and held-out cheap frames.
    gammas, relative_to : see `weights_from_bias`; not looked at without `bias_weights`.
    energy_labels : energies to pre-train on: the cheap ones "aligned" with the accurate level, those of
        the "teacher" θ₀, or "none".
    held_out : fraction of each cheap level that validates its pre-training and no level trains on.
    bias_weights : the published rule; False = all cheap frames count the same (γ = ∞).
    teaching : who measures B_j; one network by default, as published.
    fine_tune : False = stop after step 4.
    watch : see `Recipe`.

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
    start = require_network(model(seed), "asteroid")
    check_energy_labels(energy_labels)
    if not data.cheap:
        raise UsageError("asteroid needs cheap frames, got none: use recipe 'standard'")
    if bias_weights and not gammas:
        raise UsageError("bias weights need at least one γ, got none: give gammas, or bias_weights = False")
    for gamma in gammas if bias_weights else ():
        check_weighing(gamma, relative_to)
    taught = bias_weights or energy_labels == "teacher"
    teachers = teach(model, data, identify, teaching, seed, watch) if taught else None
    scale = data.train if energy_labels == "aligned" else None
    sweep = Sweep(start, gammas if bias_weights else (), seed, watch)
    for part in cheap_parts(data.cheap, data.validation, scale, held_out=held_out, seed=seed):
        bias = teachers.bias(part.train) if teachers and bias_weights else None
        sweep.pretrain(part, part.labelled_by(energy_labels, teachers), pretrain, bias, relative_to)
    chosen = _choose(sweep, data, finetune if fine_tune else None, teachers)
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
