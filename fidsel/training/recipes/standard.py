"""Recipe `standard`: train on the accurate labels alone."""

from dataclasses import dataclass, replace
from typing import ClassVar

from fidsel.models.watch import QUIET, Watch
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.stage import CheapUse, ModelFactory, Recipe, Stage, Trained, TrainingData

STAGE = Stage("train", learning_rate=4e-3, validate_every=100)


@dataclass(frozen=True, kw_only=True)
class Standard(Recipe):
    """Training on the accurate labels alone; cheap ones are not looked at.

    Parameters
    ----------
    stage : how a network is trained; kernels need none.
    """

    kind: ClassVar[str] = "standard"
    takes: ClassVar[CheapUse] = "none"

    stage: Stage = STAGE

    def __call__(
        self, data: TrainingData, model: ModelFactory, seed: int, *, watch: Watch = QUIET
    ) -> Trained:
        """Return the model trained on the accurate frames; see `Recipe`."""
        trained, history = train_one(
            model(seed), data.train, data.validation, self.stage, seed=seed, watch=watch
        )
        return Trained(trained, (history,))

    @property
    def first(self) -> Stage:
        """The only stage."""
        return self.stage

    def stages(self, levels: int) -> tuple[Stage, ...]:  # noqa: ARG002
        """Return the only stage."""
        return (self.stage,)


def control(recipe: Recipe, levels: int) -> Standard:
    """Return standard training as the control arm does it: as long as a whole recipe.

    A network takes as many optimiser steps, and minutes at most, on accurate labels as the recipe's stages
    together, with the batch and all else as in the stage of the recipe that starts from random parameters.
    Where one of them goes on until its validation loss has settled, so does the control arm.

    Parameters
    ----------
    levels : cheap levels that the recipe trains on.
    """
    stages = recipe.stages(levels)
    steps, minutes = ([getattr(stage, name) for stage in stages] for name in ("steps", "minutes"))
    total = [None if None in values else sum(values) for values in (steps, minutes)]
    return Standard(stage=replace(recipe.first, name=STAGE.name, steps=total[0], minutes=total[1]))
