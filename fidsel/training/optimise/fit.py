"""`fit`: train a network force field on labels, several members at once where asked."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.device import gradients
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.labels import (
    Labelled,
    Usable,
    centred,
    member_weights,
    prepare,
    ready_to_learn,
    usable_loss,
)
from fidsel.training.optimise.loss import Objective
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.run import Run, mean_losses
from fidsel.training.stage import History, Loss, Stage

AS_TRAINED = {"energy_constant": "as trained: fitted to the training frames, validation is worse"}
"""Note of a history."""


def fit(
    model: NetworkForceField,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
    watch: Watch = QUIET,
) -> tuple[NetworkForceField, History]:
    """Return the model trained on labels, at its best on the validation frames.

    The state before the first step competes too, so a stage never returns a model that is worse on
    the validation frames than the one it was given, its reference energies fitted to `train`. Those of
    the best state are fitted to `train` once more where that does not make validation worse. The
    averaged parameters (EMA) are what is validated and kept; `best_validation` in the notes of the
    history is the validation loss of the model that is returned.

    Parameters
    ----------
    model : where training starts; unchanged.
    train, validation : frames labelled at one level, which the model returned predicts, for frames of
        their charge and spin; with several heads, frames of their levels, and the validation frames say
        which levels decide.
    stage : how long and how.
    weights : (n_train,) importance of each frame, mean 1; None = equal. For several members at once
        see `fit_members`.
    seed : decides the batches; the same arguments give the same model.
    watch : hears how far it is, and keeps it so that a killed training goes on, to the same model.

    Raises
    ------
    UsageError
        where labels are missing or mixed, levels, charges or spins differ within or between training and
        validation frames, atoms coincide, the model cannot treat the frames, or shapes do not fit.
    FidselError
        where the loss is no longer finite.
    """
    if weights is not None and np.ndim(weights) != 1:
        raise UsageError(
            f"weights must be ({len(train)},), got {np.shape(weights)}: fit_members takes one row per member"
        )
    return fit_members([model], train, validation, stage, weights, seed=seed, watch=watch)[0]


@gradients()
def fit_members(
    models: Sequence[NetworkForceField],
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
    watch: Watch = QUIET,
) -> list[tuple[NetworkForceField, History]]:
    """Return each member's model and history as `fit` would, trained side by side.

    Members see the same batches. Gradient clipping, best state and patience are each member's own;
    the run ends when the last member is done.

    Parameters
    ----------
    models : (k) members of one architecture, possibly the same model k times.
    train, validation, stage, seed, watch : see `fit`.
    weights : (k, n_train); None = equal.
    """
    if not models or not len(train) or not len(validation):
        raise UsageError(
            f"training needs models, training and validation frames, got {len(models)}, {len(train)} and "
            f"{len(validation)}"
        )
    ready = [model.having_seen(train) for model in ready_to_learn(models, train, validation)]
    usable = usable_loss(stage.loss, train, validation)
    rows = member_weights(weights, len(models), len(train))
    # Where parts are frozen, the network has to stay what it is.
    scaled = ready if stage.frozen else [model.calibrated(train) for model in ready]
    starts = [centred(model, train, row) for model, row in zip(scaled, rows, strict=True)]
    data = prepare(starts, train, rows)
    held_out = prepare(starts, validation, np.ones((len(models), len(validation))))
    trained = minimise(starts, data, held_out, usable, stage, seed, watch)
    return _recentred(trained, train, rows, validation, usable.validation)


def _recentred(
    trained: list[tuple[NetworkForceField, History]],
    train: Frames,
    weights: FloatArray,
    validation: Frames,
    loss: Loss,
) -> list[tuple[NetworkForceField, History]]:
    """Return each member with the reference energies fitted to `train`, unless that made `loss` worse."""
    # With the small ρ of force training the energy constant lags behind; it has a closed form.
    moved = [centred(model, train, row) for (model, _), row in zip(trained, weights, strict=True)]
    trained = [
        (model, _outliers_noted(history, new)) for (model, history), new in zip(trained, moved, strict=True)
    ]
    if loss.rho == 0:  # validation does not look at energies
        return [(model, history) for model, (_, history) in zip(moved, trained, strict=True)]
    held_out = prepare(moved, validation, np.ones((len(moved), len(validation))))
    members = Members(moved)
    losses = mean_losses(members, members.free, held_out.chunks(), loss)
    return [
        (new, replace(history, notes={**history.notes, "best_validation": value}))
        if value <= history.notes["best_validation"]
        else (_not_validated(model, new, validation), replace(history, notes={**history.notes, **AS_TRAINED}))
        for (model, history), new, value in zip(trained, moved, losses.tolist(), strict=True)
    ]


def _outliers_noted(history: History, model: NetworkForceField) -> History:
    """Return a history that counts the energies which the references of a model left out, if any."""
    count = sum(reference.outliers for reference in model.references)
    return replace(history, notes={**history.notes, "energy_outliers": count}) if count else history


def _not_validated(
    model: NetworkForceField, moved: NetworkForceField, validation: Frames
) -> NetworkForceField:
    """Return the model with the references of `moved` for heads that no validation frame is for."""
    heads, pairs = model.heads_of(validation), zip(model.references, moved.references, strict=True)
    return model.with_references([own if i in heads else new for i, (own, new) in enumerate(pairs)])


def minimise(
    models: Sequence[NetworkForceField],
    data: Labelled,
    held_out: Labelled,
    losses: Usable[Loss] | Usable[Objective],
    stage: Stage,
    seed: int,
    watch: Watch = QUIET,
) -> list[tuple[NetworkForceField, History]]:
    """Return each member at its best on `held_out`, and its history: a stage on prepared frames.

    Parameters
    ----------
    models : (k) members, with the reference energies that the labels are relative to.
    losses : what is minimised and what validates; takes the place of the loss of the stage.
    """
    facts = [stage, losses, seed, models[0].kind, models[0].network.settings(), len(data), len(held_out)]
    run = Run(Members(models, stage.frozen), stage, losses, data, held_out)
    run.train(seed, watch.part(stage.name).task(facts))
    histories = run.histories({**losses.notes, "members": len(models)})
    trained = [run.members.model(i, run.best[i]) for i in range(len(models))]
    return list(zip(trained, histories, strict=True))
