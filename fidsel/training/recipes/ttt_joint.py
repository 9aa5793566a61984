"""Recipe `ttt-joint`: a network that learns the accurate level and a cheap prior at once."""

from dataclasses import dataclass, field
from typing import ClassVar

from fidsel.arguments import Fraction
from fidsel.models.contract import ForceField
from fidsel.training.recipes.asteroid import FINETUNE
from fidsel.training.recipes.joint import Joint
from fidsel.training.recipes.ttt_pretrain import require_one_prior
from fidsel.training.stage import Stage


@dataclass(frozen=True, kw_only=True)
class TTTJoint(Joint):
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

    share: Fraction = 0.5
    fine_tune: bool = field(default=False, init=False)  # it would leave the accurate head alone
    finetune: Stage = field(default=FINETUNE, init=False)

    @classmethod
    def require(cls, learner: type[ForceField] | None, cheap: int) -> None:
        """Raise a `UsageError` unless there is one prior and a network that can have heads."""
        super().require(learner, cheap)
        require_one_prior(cls.kind, cheap)
