"""Recipe `asteroid-unlabelled`: pre-train on thermal configurations, fine-tune on accurate labels."""

from collections.abc import Mapping
from dataclasses import replace

from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.labels import centred, level_of
from fidsel.training.optimise.boltzmann import boltzmann_check
from fidsel.training.optimise.fit import fit
from fidsel.training.optimise.score import fit_score, require_temperature, score_loss
from fidsel.training.recipes.asteroid import FINETUNE, IDENTIFY, PRETRAIN
from fidsel.training.recipes.cheap import CheapPart, cheap_parts
from fidsel.training.recipes.dispatch import require_network
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import ModelFactory, Stage, Trained, TrainingData

RECIPE = "asteroid-unlabelled"
BASELINE = replace(IDENTIFY, name="baseline")


def asteroid_unlabelled(
    data: TrainingData,
    model: ModelFactory,
    seed: int,
    *,
    temperature: float | None = None,
    baseline: Stage = BASELINE,
    pretrain: Stage = PRETRAIN,
    finetune: Stage = FINETUNE,
    held_out: float = 0.1,
    fine_tune: bool = True,
    watch: Watch = QUIET,
) -> Trained:
    """Return a network pre-trained on configurations without labels and fine-tuned on accurate ones.

    ASTEROID for unlabelled data (Bukharin et al. 2023, DOI 10.48550/arXiv.2306.03109): configurations
    drawn from a Boltzmann distribution know its forces, F = kT ∇ log p.

    1. Train on the accurate frames alone (`baseline`), to check the temperature by, and as a guard.
    2. Pre-train by sliced score matching, see `fit_score` (`pretrain`).
    3. Fine-tune on the accurate frames (`finetune`).

    Where the error on the accurate validation frames was smaller before, as score matching can do
    harm, that state is returned and `kept` says which.

    Parameters
    ----------
    data : accurate training and validation frames; configurations as cheap frames, in the order of
        their trajectories. Their labels are not looked at.
    model : builds a network, of a smooth energy.
    seed : decides initial parameters, batches, directions and held-out configurations.
    temperature : K, that the configurations were drawn at; required.
    held_out : fraction of the configurations of each level that validates the pre-training.
    fine_tune : False = stop after step 2.
    watch : see `Recipe`.

    Returns
    -------
    The model, the histories, and diagnostics: `kept`, `validation_error` (of each state), `levels`
    (frames dropped, `temperature` given and found, and `score`, the objective on held-out frames in each
    state), `warnings`.

    Raises
    ------
    UsageError
        for a model that is no network, without configurations, or without a temperature.
    """
    current = require_network(model(seed), RECIPE)
    kelvin = require_temperature(temperature)
    if not data.cheap:
        raise UsageError(f"{RECIPE} needs configurations as cheap frames, got none: use recipe 'standard'")
    alone, history = fit(current, data.train, data.validation, baseline, seed=seed, watch=watch)
    bare = [frames.replace(energy=None, forces=None) for frames in data.cheap]
    parts = cheap_parts(bare, data.validation, None, held_out=held_out, seed=seed)
    checks, histories = [boltzmann_check(alone, frames, kelvin, seed=seed) for frames in bare], [history]
    for part in parts:
        named = replace(pretrain, name=f"{pretrain.name} {part.level}".strip())
        current, history = fit_score(
            current, part.train, part.validation, named, kelvin, seed=seed, watch=watch
        )
        histories.append(history)
    before = centred(current.replace(level=level_of(data.train)), data.train)
    states = {"pre-train": before}
    if fine_tune:
        after, history = fit(before, data.train, data.validation, finetune, seed=seed, watch=watch)
        histories.append(history)
        states = {"fine-tune": after, "pre-train": before, "baseline": alone}
    kept = keep_best(states, data.validation)
    levels = [
        part.report() | {"temperature": check.report(), "score": _scores(states, part, kelvin, seed)}
        for part, check in zip(parts, checks, strict=True)
    ]
    warnings = [
        f"{part.level}: {text}" for part, c in zip(parts, checks, strict=True) if (text := c.warning())
    ]
    return Trained(
        kept.model,
        tuple(histories),
        kept.report() | {"levels": levels, "warnings": (*warnings, *kept.warnings)},
    )


def _scores(
    states: Mapping[str, NetworkForceField], part: CheapPart, temperature: float, seed: int
) -> dict[str, float]:
    """Return the objective on held-out configurations, (eV/Å)², of each state: what fine-tuning forgets."""
    return {name: score_loss(state, part.validation, temperature, seed) for name, state in states.items()}
