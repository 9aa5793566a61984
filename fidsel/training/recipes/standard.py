"""Recipe `standard`: train on the accurate labels alone."""

from fidsel.models.watch import QUIET, Watch
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.stage import ModelFactory, Stage, Trained, TrainingData

STAGE = Stage("train", steps=4000, learning_rate=4e-3, validate_every=100)


def standard(
    data: TrainingData, model: ModelFactory, seed: int, *, stage: Stage = STAGE, watch: Watch = QUIET
) -> Trained:
    """Return the model trained on the accurate frames; cheap frames are not looked at.

    Parameters
    ----------
    data : accurate training and validation frames.
    model : builds the model, closed-form or network.
    seed : decides initial parameters and batches.
    stage : how a network is trained.
    watch : see `Recipe`.
    """
    trained, history = train_one(model(seed), data.train, data.validation, stage, seed=seed, watch=watch)
    return Trained(trained, (history,))
