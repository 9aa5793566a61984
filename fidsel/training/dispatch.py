"""One way to train whatever can be trained: closed-form fits and networks."""

import time

from fidsel.data import Frames
from fidsel.data.frames import FloatArray
from fidsel.errors import UsageError
from fidsel.models.contract import Fittable, ForceField
from fidsel.models.network import NetworkForceField
from fidsel.training.fit import fit
from fidsel.training.stage import History, Stage


def require_network(model: ForceField, recipe: str) -> NetworkForceField:
    """Return the model, or raise a `UsageError` where it cannot be trained in stages, as a recipe does."""
    if isinstance(model, NetworkForceField):
        return model
    advice = "use recipe 'cokriging'" if isinstance(model, Fittable) else "give a network"
    raise UsageError(f"{recipe} trains networks in stages, a {model.kind} model cannot: {advice}")


def train_one(
    model: ForceField,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
) -> tuple[ForceField, History]:
    """Return a trained copy of a model and what happened.

    A `Fittable` model has a closed-form fit: it takes nothing from the stage but its name, and the
    record of the fit becomes the notes of the history.

    Raises
    ------
    UsageError
        for a model that can only predict.
    """
    if isinstance(model, NetworkForceField):
        return fit(model, train, validation, stage, weights, seed=seed)
    if isinstance(model, Fittable):
        started = time.perf_counter()
        fitted, record = model.fit(train, validation, weights)
        return fitted, History(stage=stage.name, seconds=time.perf_counter() - started, notes=record)
    raise UsageError(f"a {model.kind} model only predicts: give a network or a model with a fit to train")
