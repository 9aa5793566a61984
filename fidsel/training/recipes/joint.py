"""Recipe `joint`: one body learns all levels of theory at once, each through a head of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fidsel.arguments import Fraction, check_arguments
from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import errors
from fidsel.training.labels import level_of
from fidsel.training.optimise.fit import fit
from fidsel.training.recipes.asteroid import FINETUNE
from fidsel.training.recipes.cheap import CheapPart, cheap_parts
from fidsel.training.recipes.dispatch import require_network
from fidsel.training.recipes.guard import keep_best
from fidsel.training.stage import Loss, ModelFactory, Recipe, Stage, Surrogate, Trained, TrainingData

STAGE = Stage("joint", learning_rate=4e-3, batch=16, validate_every=200)


@dataclass(frozen=True, kw_only=True)
class Joint(Recipe):
    """One network learns all levels at once, each through a head of its own.

    Multi-fidelity learning with a shared body: the features of the atoms are learnt mostly from many
    cheap labels, while each head makes energies of its own level of them. No level is aligned with
    another, since each head has its own reference energies, and levels may differ in the labels they
    have, such as accurate energies beside cheap forces. The state kept is the best on the accurate
    validation frames. See `mixture` for how much each level counts.

    Parameters
    ----------
    stage : how it is trained.
    share : share of the accurate level in the loss; the cheap levels have equal parts of the rest.
    held_out : part of the cheap labels that is not trained on.
    fine_tune : train the accurate head, and the body unless it is frozen, on the accurate labels alone
        afterwards; the model then has this head only.
    finetune : how, where `fine_tune` says so.

    Returns
    -------
    The model, at the accurate level by default; the histories; diagnostics: `kept`, `validation_error`
    (of each state), `share`, `levels` (frames dropped, how often each frame of the level counts in an
    epoch, its weight, and the errors of its head on held-out frames), `warnings`; and the cheap heads
    as surrogates, which share the body that has learnt accurate labels too.

    Raises
    ------
    UsageError
        for a model that is no network, without cheap frames, or with levels that cannot be told apart.
    """

    kind: ClassVar[str] = "joint"
    needs_network: ClassVar[bool] = True
    needs_heads: ClassVar[bool] = True
    has_surrogates: ClassVar[bool] = True

    stage: Stage = STAGE
    share: Fraction = 0.2
    held_out: Fraction = 0.1
    fine_tune: bool = False
    finetune: Stage = FINETUNE

    def __post_init__(self) -> None:
        check_arguments(self)

    @property
    def first(self) -> Stage:
        """The stage that learns all levels at once."""
        return self.stage

    def stages(self, levels: int) -> tuple[Stage, ...]:  # noqa: ARG002
        """Return the stage of all levels, and that of the accurate one where there is one."""
        return (self.stage, *self.fine_tune * (self.finetune,))

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return a network with a head for each level, trained on all labels at once; see `Recipe`."""
        start = require_network(model(seed), self.kind)
        self.require(type(start), len(data.cheap))
        parts = cheap_parts(data.cheap, data.validation, None, held_out=self.held_out, seed=seed)
        names = [*(part.level for part in parts), level_of(data.train)]
        if len(set(names)) < len(names):
            raise UsageError(f"joint tells levels apart by their names, which must differ, got {names}")
        shares = [(1 - self.share) / len(parts)] * len(parts) + [self.share]
        mixed = mixture([*(part.train for part in parts), data.train], shares, self.stage.loss)
        start = start.with_heads(names)
        trained, history = fit(
            start, mixed.frames, data.validation, self.stage, mixed.weights, seed=seed, watch=watch
        )
        states, histories = {"joint": trained}, [history]
        if self.fine_tune:
            alone = trained.with_heads([names[-1]])
            tuned, history = fit(alone, data.train, data.validation, self.finetune, seed=seed, watch=watch)
            states = {"fine-tune": tuned, "joint": trained}
            histories.append(history)
        kept = keep_best(states, data.validation)
        surrogates = [_surrogate(trained, part, data.train) for part in parts]
        levels = [
            part.report() | own | {"held_out": errors(surrogate.model, part.validation).metrics().to_dict()}
            for part, own, surrogate in zip(parts, mixed.report(), surrogates, strict=False)
        ]
        accurate = {"level": names[-1], "train": len(data.train)} | mixed.report()[-1]
        diagnostics = {
            **kept.report(),
            "share": self.share,
            "levels": [*levels, accurate],
            "warnings": kept.warnings,
        }
        return Trained(kept.model, tuple(histories), diagnostics, tuple(surrogates))


@dataclass(frozen=True, eq=False)
class Mixture:
    """Labels of several levels in one training set.

    Parameters
    ----------
    frames : of all levels, those of each `repeats` times.
    weights : (n_frames,).
    repeats : how often a frame of each level counts in an epoch.
    level_weights : weight of the frames of each level.
    """

    frames: Frames
    weights: FloatArray
    repeats: tuple[int, ...]
    level_weights: tuple[float, ...]

    def report(self) -> list[dict[str, Any]]:
        """Return plain values for a record of each level."""
        rows = zip(self.repeats, self.level_weights, strict=True)
        return [{"repeats": repeats, "weight": weight} for repeats, weight in rows]


def mixture(levels: Sequence[Frames], shares: Sequence[float], loss: Loss) -> Mixture:
    """Return frames of several levels, repeated and weighted so that each level has its share of the loss.

    The loss is L = Σ_i w_i (φ_i ℓ_f + ε_i ℓ_e) / n with φ_i = (1 − ρ) n / n_f for the n_f frames that
    have forces and ε_i = ρ n / n_e for the n_e that have an energy, 0 for others (see
    `fidsel.training.labels.prepare`). Level l has the share s_l = Σ_{i∈l} w_i (φ_i + ε_i) / n; so
    accurate energies keep their share beside cheap forces, however small ρ is.

    Few frames of a large share are repeated, s_l n_m / (s_m n_l) times beside the level m that needs no
    repetition, as large weights of frames that are rarely drawn would make the gradient noisy; weights
    w_l make up for the rounding.

    Parameters
    ----------
    levels : frames of each.
    shares : s_l, adding up to 1.
    loss : ρ.

    Raises
    ------
    UsageError
        where the loss looks at no label of a level.
    """
    most = max(len(frames) / share for frames, share in zip(levels, shares, strict=True))
    repeats = tuple(
        max(1, round(most * share / len(frames))) for frames, share in zip(levels, shares, strict=True)
    )
    rows = [np.tile(np.arange(len(frames)), times) for frames, times in zip(levels, repeats, strict=True)]
    parts = [frames[own] for frames, own in zip(levels, rows, strict=True)]
    mixed = sum(parts[1:], parts[0])
    masses = _label_masses(mixed, loss.rho)
    bounds = np.cumsum([0, *(len(part) for part in parts)])
    weights, level_weights = np.empty(len(mixed)), []
    for part, share, a, b in zip(parts, shares, bounds[:-1], bounds[1:], strict=True):
        if (mass := masses[a:b].sum()) == 0:
            raise UsageError(
                f"the loss with rho = {loss.rho} looks at no label of level {str(part.level[0])!r}: it has "
                f"{'no forces' if loss.rho < 1 else 'no energies'}; take 0 < rho < 1"
            )
        weights[a:b] = share * len(mixed) / mass
        level_weights.append(float(weights[a]))
    return Mixture(mixed, weights, repeats, tuple(level_weights))


def _label_masses(frames: Frames, rho: float) -> FloatArray:
    """Return (n,) φ_i + ε_i, how much the labels of each frame count in the loss before weights, mean 1."""
    terms = ((1 - rho, frames.has_forces), (rho, np.isfinite(frames.energy)))
    masses = np.zeros(len(frames))
    for part, known in terms:
        masses += part * known * (len(frames) / max(1, int(np.count_nonzero(known))))
    # A term that no frame has a label for is dropped from the loss, and the other takes its place.
    scaled: FloatArray = masses / (masses.mean() or 1.0)
    return scaled


def _surrogate(model: NetworkForceField, part: CheapPart, accurate: Frames) -> Surrogate:
    """Return a cheap head; its body has seen the configurations with accurate labels."""
    seen = set(accurate.ids)
    unseen = tuple(name for name in part.validation.ids if name not in seen)
    return Surrogate(part.level, model.with_heads([part.level]), unseen)
