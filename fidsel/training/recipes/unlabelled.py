"""Recipe `asteroid-unlabelled`: pre-train on thermal configurations, fine-tune on accurate labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from fidsel.arguments import Fraction, PositiveFloat, check_arguments
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.labels import centred, level_of
from fidsel.training.optimise.boltzmann import boltzmann_check
from fidsel.training.optimise.fit import fit
from fidsel.training.optimise.score import fit_score, score_loss
from fidsel.training.recipes.asteroid import FINETUNE, IDENTIFY, PRETRAIN
from fidsel.training.recipes.cheap import CheapPart, cheap_parts
from fidsel.training.recipes.dispatch import require_network
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import CheapUse, ModelFactory, Recipe, Stage, Trained, TrainingData

BASELINE = replace(IDENTIFY, name="baseline")


@dataclass(frozen=True, kw_only=True)
class AsteroidUnlabelled(Recipe):
    """Score matching on thermal configurations without labels, then fine-tuning on accurate ones.

    ASTEROID for unlabelled data (Bukharin et al. 2023, DOI 10.48550/arXiv.2306.03109): configurations
    drawn from a Boltzmann distribution know its forces, F = kT ∇ log p.

    1. Train on the accurate frames alone (`baseline`), to check the temperature by, and as a guard.
    2. Pre-train by sliced score matching, see `fit_score` (`pretrain`).
    3. Fine-tune on the accurate frames (`finetune`).

    Where the error on the accurate validation frames was smaller before, as score matching can do
    harm, that state is returned and `kept` says which. Configurations are given as cheap frames, in the
    order of their trajectories; their labels are not looked at. The network must be of a smooth energy.

    Parameters
    ----------
    temperature : K, that the configurations were drawn at; forces scale with it.
    baseline : accurate labels alone: checks the temperature, and is kept where it is better.
    pretrain : score matching on the configurations.
    finetune : on accurate labels.
    fine_tune : false stops after pre-training.
    held_out : part of the configurations that validates the pre-training.

    Returns
    -------
    The model, the histories, and diagnostics: `kept`, `validation_error` (of each state), `levels`
    (frames dropped, `temperature` given and found, and `score`, the objective on held-out frames in each
    state), `warnings`.

    Raises
    ------
    UsageError
        for a model that is no network, or without configurations.
    """

    kind: ClassVar[str] = "asteroid-unlabelled"
    takes: ClassVar[CheapUse] = "frames"
    needs_network: ClassVar[bool] = True

    temperature: PositiveFloat
    baseline: Stage = BASELINE
    pretrain: Stage = PRETRAIN
    finetune: Stage = FINETUNE
    fine_tune: bool = True
    held_out: Fraction = 0.1

    def __post_init__(self) -> None:
        check_arguments(self)

    @property
    def first(self) -> Stage:
        """The stage on accurate labels alone."""
        return self.baseline

    def stages(self, levels: int) -> tuple[Stage, ...]:
        """Return all stages."""
        return (self.baseline, *levels * (self.pretrain,), *self.fine_tune * (self.finetune,))

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return a network pre-trained without labels and fine-tuned on accurate ones; see `Recipe`."""
        current = require_network(model(seed), self.kind)
        self.require(type(current), len(data.cheap))
        kelvin = self.temperature
        alone, history = fit(current, data.train, data.validation, self.baseline, seed=seed, watch=watch)
        bare = [frames.replace(energy=None, forces=None) for frames in data.cheap]
        parts = cheap_parts(bare, data.validation, None, held_out=self.held_out, seed=seed)
        checks, histories = [boltzmann_check(alone, frames, kelvin, seed=seed) for frames in bare], [history]
        for part in parts:
            named = replace(self.pretrain, name=f"{self.pretrain.name} {part.level}".strip())
            current, history = fit_score(
                current, part.train, part.validation, named, kelvin, seed=seed, watch=watch
            )
            histories.append(history)
        before = centred(current.replace(level=level_of(data.train)), data.train)
        states = {"pre-train": before}
        if self.fine_tune:
            after, history = fit(before, data.train, data.validation, self.finetune, seed=seed, watch=watch)
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
