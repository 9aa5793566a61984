"""Recipe `ttt-joint`: a network that learns the accurate level and a cheap prior at once."""

from dataclasses import dataclass
from typing import ClassVar

from fidsel.arguments import Fraction, check_arguments
from fidsel.models.contract import ForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.recipes.joint import STAGE, Joint
from fidsel.training.recipes.ttt_pretrain import require_one_prior
from fidsel.training.stage import ModelFactory, Recipe, Stage, Trained, TrainingData


@dataclass(frozen=True, kw_only=True)
class TTTJoint(Recipe):
    """Learns the accurate level and a cheap prior at once: a model that refinement adapts by the prior.

    As `joint`, with one cheap level, whose head always stays in the model: `fidsel refine` lowers its loss
    on new molecules, and the accurate head follows (joint training of Kreiman & Krishnapriyan, arXiv
    2503.08674).

    Parameters
    ----------
    stage : how it is trained.
    share : share of the accurate level in the loss; the prior has the rest.
    held_out : part of the labels of the prior that is not trained on.

    Raises
    ------
    UsageError
        for a model that is no network, and unless there is one cheap level of another name than the
        accurate one.
    """

    kind: ClassVar[str] = "ttt-joint"
    needs_network: ClassVar[bool] = True
    needs_heads: ClassVar[bool] = True
    has_surrogates: ClassVar[bool] = True

    stage: Stage = STAGE
    share: Fraction = 0.5
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
        """The only stage."""
        return self.stage

    def steps(self, levels: int) -> int:  # noqa: ARG002
        """Return the steps of the only stage."""
        return self.stage.steps

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return a network with a head for the prior and one for the accurate level; see `Joint`."""
        self.require(None, len(data.cheap))
        joint = Joint(stage=self.stage, share=self.share, held_out=self.held_out)
        return joint(data, model, seed, watch=watch)
