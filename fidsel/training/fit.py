"""`fit`: train a network force field on labels, several members at once where asked."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from fidsel.data import Frames
from fidsel.data.frames import BoolArray, FloatArray
from fidsel.errors import FidselError, UsageError
from fidsel.models.network import NetworkForceField
from fidsel.training.labels import (
    Labelled,
    Usable,
    centred,
    member_weights,
    prepare,
    ready_to_learn,
    usable_loss,
)
from fidsel.training.loss import LabelledBatch, Objective
from fidsel.training.members import Members
from fidsel.training.stage import History, Loss, Stage
from fidsel.training.step import Steps

POINTS = 200
"""Most points a history keeps."""

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
    return fit_members([model], train, validation, stage, weights, seed=seed)[0]


def fit_members(
    models: Sequence[NetworkForceField],
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
) -> list[tuple[NetworkForceField, History]]:
    """Return each member's model and history as `fit` would, trained side by side.

    Members see the same batches. Gradient clipping, best state and patience are each member's own;
    the run ends when the last member is done.

    Parameters
    ----------
    models : (k) members of one architecture, possibly the same model k times.
    train, validation, stage, seed : see `fit`.
    weights : (k, n_train); None = equal.
    """
    if not models or not len(train) or not len(validation):
        raise UsageError(
            f"training needs models, training and validation frames, got {len(models)}, {len(train)} and "
            f"{len(validation)}"
        )
    ready = ready_to_learn(models, train, validation)
    usable = usable_loss(stage.loss, train, validation)
    rows = member_weights(weights, len(models), len(train))
    # Where parts are frozen, the network has to stay what it is.
    scaled = ready if stage.frozen else [model.calibrated(train) for model in ready]
    starts = [centred(model, train, row) for model, row in zip(scaled, rows, strict=True)]
    data = prepare(starts, train, rows)
    held_out = prepare(starts, validation, np.ones((len(models), len(validation))))
    return _recentred(
        minimise(starts, data, held_out, usable, stage, seed), train, rows, validation, usable.validation
    )


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


def _not_validated(
    model: NetworkForceField, moved: NetworkForceField, validation: Frames
) -> NetworkForceField:
    """Return the model with the references of `moved` for heads that no validation frame is for."""
    heads, pairs = model.heads_of(validation), zip(model.references, moved.references, strict=True)
    return model.with_references([own if i in heads else new for i, (own, new) in enumerate(pairs)])


def mean_losses(
    members: Members, free: torch.Tensor, chunks: Sequence[LabelledBatch], loss: Loss | Objective
) -> FloatArray:
    """Return the mean loss of each member over frames, (k,), at parameters `free` (k, P)."""
    total = torch.zeros(len(members), dtype=torch.float64, device=free.device)
    for chunk in chunks:
        total += members.losses(free, chunk, loss).double() * chunk.energy.shape[1]
    mean: FloatArray = total.cpu().numpy() / sum(chunk.energy.shape[1] for chunk in chunks)
    return mean


def minimise(
    models: Sequence[NetworkForceField],
    data: Labelled,
    held_out: Labelled,
    losses: Usable,
    stage: Stage,
    seed: int,
) -> list[tuple[NetworkForceField, History]]:
    """Return each member at its best on `held_out`, and its history: a stage on prepared frames.

    Parameters
    ----------
    models : (k) members, with the reference energies that the labels are relative to.
    data, held_out : frames to train on and to validate on.
    losses : what is minimised and what validates; takes the place of the loss of the stage.
    stage, seed : see `fit`.
    """
    started = time.perf_counter()
    run = _Run(Members(models, stage.frozen), stage, losses, data, held_out)
    run.train(seed)
    histories = run.histories(time.perf_counter() - started, {**losses.notes, "members": len(models)})
    trained = [run.members.model(i, run.best[i]) for i in range(len(models))]
    return list(zip(trained, histories, strict=True))


def batches(n: int, size: int, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """Yield the rows of each step, always min(size, n) of them: random epochs, one after the other."""
    rng, size = np.random.default_rng(seed), min(size, n)
    queue = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        while len(queue) < size:
            queue = np.concatenate([queue, rng.permutation(n)])
        rows, queue = queue[:size], queue[size:]
        yield torch.from_numpy(rows)


@dataclass(frozen=True)
class _Point:
    """One validation: mean training loss since the one before, and validation loss, each (k,)."""

    step: int
    train: FloatArray
    validation: FloatArray


class _Run:
    """A training run: its steps, and each member's best so far, a row of (k, P)."""

    def __init__(
        self, members: Members, stage: Stage, loss: Usable, data: Labelled, held_out: Labelled
    ) -> None:
        self.members, self.stage, self.loss, self.n = members, stage, loss, len(data)
        self.held_out = held_out.chunks()
        self.steps = Steps(members, data, loss.train, stage)
        self.best = self.steps.average.clone()
        self.best_loss = self._validation_loss(step=0)
        self.best_step = np.zeros(len(members), dtype=np.int64)
        self.waited = np.zeros(len(members), dtype=np.int64)
        self.points: list[_Point] = []

    def train(self, seed: int) -> None:
        """Run the stage until its last step, or until every member is out of patience."""
        rows, step = batches(self.n, self.stage.batch, self.stage.steps, seed), 0
        while block := list(islice(rows, self.stage.validate_every)):
            recent = self.steps.block(step + 1, torch.stack(block))
            step += len(block)
            self._validate(step, recent)
            if self._finished().all():
                return

    def histories(self, seconds: float, notes: Mapping[str, Any]) -> list[History]:
        """Return each member's history, evenly thinned to at most `POINTS` points."""
        last = len(self.points) - 1
        points = [
            self.points[i] for i in np.unique(np.linspace(0, last, min(POINTS, last + 1)).round().astype(int))
        ]
        return [
            History(
                stage=self.stage.name,
                step=tuple(p.step for p in points),
                train=tuple(float(p.train[i]) for p in points),
                validation=tuple(float(p.validation[i]) for p in points),
                best_step=int(self.best_step[i]),
                seconds=seconds,
                notes={**notes, "best_validation": float(self.best_loss[i])},
            )
            for i in range(len(self.members))
        ]

    def _validate(self, step: int, recent: FloatArray) -> None:
        """Keep the averaged parameters of the members that improved."""
        self._require_finite("training", step - len(recent) + 1, recent)
        current = self._validation_loss(step)
        better = (current < self.best_loss) & ~self._finished()
        rows = torch.from_numpy(better).to(self.best.device)
        self.best[rows] = self.steps.average[rows]
        self.best_loss = np.where(better, current, self.best_loss)
        self.best_step = np.where(better, step, self.best_step)
        self.waited = np.where(better, 0, self.waited + 1)
        self.points.append(_Point(step, recent.mean(0), current))

    def _finished(self) -> BoolArray:
        """Return which members are out of patience, (k,)."""
        patience = self.stage.patience
        return np.zeros(len(self.members), dtype=bool) if patience is None else self.waited >= patience

    def _validation_loss(self, step: int) -> FloatArray:
        """Return the loss of the averaged parameters on the validation frames, (k,)."""
        losses = mean_losses(self.members, self.steps.average, self.held_out, self.loss.validation)
        self._require_finite("validation", step, losses[None])
        return losses

    def _require_finite(self, what: str, first: int, losses: FloatArray) -> None:
        """Raise a `FidselError` for the first loss of (n_steps, k), from step `first`, that is not finite."""
        bad = np.argwhere(~np.isfinite(losses))
        if len(bad):
            raise FidselError(
                f"the {what} loss of stage {self.stage.name!r} must stay finite, member {bad[0][1]} has "
                f"{losses[tuple(bad[0])]} at step {first + bad[0][0]}: lower learning_rate "
                f"({self.stage.learning_rate}) or clip ({self.stage.clip}), and look for frames with "
                "atoms too close to each other or huge forces"
            )
