"""`fit_any`: one call that fits a kernel in closed form and trains a network by a stage."""

import time

from fidsel.data import Frames
from fidsel.data.frames import FloatArray
from fidsel.errors import UsageError
from fidsel.models import Fittable, ForceField
from fidsel.models.network import NetworkForceField
from fidsel.training.fit import fit
from fidsel.training.stage import History, Stage


def fit_any(
    model: ForceField,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
) -> tuple[ForceField, History]:
    """Return the model fitted to labels of one level, and what happened.

    Parameters
    ----------
    model : a network, trained as `stage` says, or a `Fittable`, of which only the name of the stage
        is used.
    train, validation : labelled frames of one level.
    weights : (n_train,) importance of each frame, mean 1; None = equal.
    seed : decides the batches of a network; a closed-form fit draws nothing.

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
        return fitted, History(stage.name, seconds=time.perf_counter() - started, notes=record)
    raise UsageError(f"a model of kind {model.kind!r} only predicts; train a network or a model with fit()")
