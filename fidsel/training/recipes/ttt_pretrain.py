"""Recipe `ttt-pretrain`: a body that has learnt a cheap prior, and a head for the accurate level upon it."""

from dataclasses import dataclass, replace
from typing import ClassVar

from fidsel.arguments import Fraction, check_arguments
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.labels import level_of
from fidsel.training.optimise.fit import fit
from fidsel.training.optimise.members import other_parameters
from fidsel.training.recipes.cheap import cheap_parts
from fidsel.training.recipes.dispatch import require_network
from fidsel.training.recipes.joint import mixture
from fidsel.training.stage import ModelFactory, Recipe, Stage, Trained, TrainingData

PRETRAIN = Stage("pre-train", learning_rate=4e-3, batch=16, validate_every=200)
HEADS = Stage("heads", learning_rate=4e-3, batch=16, validate_every=200)


@dataclass(frozen=True, kw_only=True)
class TTTPretrain(Recipe):
    """Learns a cheap prior first, then the accurate level by its last block: a model that refinement adapts.

    The first stage trains all of a network on the labels of the prior. The second trains its last block and
    the heads of both levels, the accurate one of which starts from the prior's, and leaves the rest as it
    is. So the accurate head stands on features made for the prior, and what adapts these to a new molecule
    by the prior alone (`fidsel refine`) carries over. Both heads stay in the model; published recipes give
    each head a last block of its own (Kreiman & Krishnapriyan, arXiv 2503.08674), here they share it, which
    is why the prior is trained on in the second stage too.

    Parameters
    ----------
    pretrain : how the network learns the prior.
    heads : how its last block and its heads learn both levels.
    share : share of the accurate level in the loss of the second stage; the prior has the rest.
    held_out : part of the labels of the prior that is not trained on.

    Returns
    -------
    The model, at the accurate level by default, with a head for the prior; the histories; diagnostics:
    `prior` (its level, and how many frames it has), `share`, `warnings`.

    Raises
    ------
    UsageError
        for a model that is no network, and unless there is one cheap level of another name than the
        accurate one.
    """

    kind: ClassVar[str] = "ttt-pretrain"
    needs_network: ClassVar[bool] = True
    needs_heads: ClassVar[bool] = True

    pretrain: Stage = PRETRAIN
    heads: Stage = HEADS
    share: Fraction = 0.8
    held_out: Fraction = 0.1

    def __post_init__(self) -> None:
        check_arguments(self)

    @classmethod
    def require(cls, learner: type[ForceField] | None, cheap: int) -> None:
        """Raise a `UsageError` unless there is one prior and a network that can have heads."""
        super().require(learner, cheap)
        require_one_prior(cls.kind, cheap)

    @property
    def first(self) -> Stage:
        """The stage that starts from random parameters."""
        return self.pretrain

    def stages(self, levels: int) -> tuple[Stage, ...]:  # noqa: ARG002
        """Return both stages."""
        return (self.pretrain, self.heads)

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return a network that has learnt the prior, then the accurate level by its last block."""
        start = require_network(model(seed), self.kind)
        self.require(type(start), len(data.cheap))
        (part,) = cheap_parts(data.cheap, data.validation, None, held_out=self.held_out, seed=seed)
        names = [part.level, level_of(data.train)]
        body, learnt = fit(start, part.train, part.validation, self.pretrain, seed=seed, watch=watch)
        mixed = mixture([part.train, data.train], [1 - self.share, self.share], self.heads.loss)
        stage = replace(self.heads, frozen=other_parameters(body.network, body.network.last_modules))
        trained, history = fit(
            body.with_heads(names),
            mixed.frames,
            data.validation,
            stage,
            mixed.weights,
            seed=seed,
            watch=watch,
        )
        diagnostics = {"prior": part.report(), "share": self.share, "warnings": ()}
        return Trained(trained, (learnt, history), diagnostics)


def require_one_prior(recipe: str, cheap: int) -> None:
    """Raise a `UsageError` where several cheap levels could be the prior."""
    if cheap > 1:
        raise UsageError(f"recipe {recipe!r} takes one cheap level, as prior, got {cheap}: take 'joint'")
