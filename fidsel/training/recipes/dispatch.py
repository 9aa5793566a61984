"""One way to train whatever can be trained: closed-form fits, networks and ensembles of either."""

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import torch

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.average import Average
from fidsel.models.combinations.ensemble import Ensemble
from fidsel.models.contract import Fittable, ForceField, Watchable
from fidsel.models.device import gradients
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.training.evaluate import validation_error
from fidsel.training.optimise.fit import fit, fit_members
from fidsel.training.recipes.guard import SAME
from fidsel.training.stage import History, Stage, Trained, not_a_network

LEFT_OUT = 0.1
"""Part of the training frames that each closed-form member of an ensemble does not see."""


def require_network(model: ForceField, recipe: str) -> NetworkForceField:
    """Return the model, or raise a `UsageError` where it cannot be trained in stages, as a recipe does."""
    if isinstance(model, NetworkForceField):
        return model
    raise not_a_network(type(model), recipe)


def takes_steps(model: ForceField) -> bool:
    """Return whether a model is trained by optimiser steps, at least in part."""
    return isinstance(model, NetworkForceField) or any(map(takes_steps, model.members))


def require_different(networks: Sequence[NetworkForceField]) -> None:
    """Raise a `UsageError` where two networks start alike: they would see the same batches and agree."""
    for one, other in combinations([network.network.state_dict() for network in networks], 2):
        if one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one):
            raise UsageError(
                "members of a committee must start from different parameters, and two start from the same: "
                "their disagreement would say nothing. Give models that heed their seed (one from a "
                "checkpoint does not)"
            )


@gradients()
def train_one(
    model: ForceField,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
    watch: Watch = QUIET,
) -> tuple[ForceField, History]:
    """Return a trained copy of a model and what happened.

    A `Fittable` model has a closed-form fit: it takes nothing from the stage but its name, and the
    record of the fit becomes the notes of the history. For ensembles see `train_ensemble`, for averages
    `train_average`. The watch hears of networks and of models that are `Watchable`.

    Raises
    ------
    UsageError
        for a model that can only predict.
    """
    weights = None if weights is None else np.asarray(weights, dtype=np.float64)
    if isinstance(model, NetworkForceField):
        return fit(model, train, validation, stage, weights, seed=seed, watch=watch)
    if isinstance(model, Fittable):
        started = time.perf_counter()
        fresh: Fittable = model
        if isinstance(model, Watchable) and not watch.idle:
            fresh = model.watched(watch.part(stage.name))
        fitted, record = fresh.fit(train, validation, weights)
        return fitted, History(stage=stage.name, seconds=time.perf_counter() - started, notes=record)
    if isinstance(model, Average):
        return train_average(model, train, validation, stage, weights, seed=seed, watch=watch)
    if isinstance(model, Ensemble):
        return train_ensemble(model, train, validation, stage, weights, seed=seed, watch=watch)
    raise UsageError(f"a {model.kind} model only predicts: give a network or a model with a fit to train")


@gradients()
def train_average(
    model: Average,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
    watch: Watch = QUIET,
) -> tuple[ForceField, History]:
    """Return the average of the trained members, or the best of them where it is no better, and one history.

    Each member is trained as it would be alone. The average counts as better where it lowers the validation
    error by a hundredth.
    """
    members, histories = _each(
        [partial(_member, member, train, validation, stage, weights, seed=seed) for member in model.members],
        watch,
    )
    average = Average(members).weighed(validation)
    error = [validation_error(one, validation) for one in (*members, average)]
    best = int(np.argmin(error[:-1]))
    better = error[-1] < (1 - SAME) * error[best]
    shares = average.weights if better else np.eye(len(members))[best]
    notes = {
        "members": len(members),
        "weights": [[one.kind, share] for one, share in zip(members, shares.tolist(), strict=True)],
        "validation_errors": error,
        "each": [dict(history.notes) for history in histories],
    }
    seconds = sum(history.seconds for history in histories)
    return (average if better else members[best]), History(stage=stage.name, seconds=seconds, notes=notes)


@gradients()
def train_ensemble(
    model: Ensemble,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None = None,
    *,
    seed: int = 0,
    watch: Watch = QUIET,
) -> tuple[Ensemble, History]:
    """Return an ensemble whose members are all trained, and one history of their means.

    Networks see all frames and differ by their initial parameters; those of one architecture are trained side
    by side. A closed-form fit has no such randomness, so each of these members is fitted without another
    tenth of the frames, drawn at random and disjoint while they last. On H₂CO (four sGDML of 30 and 100
    frames) their mean is 5 % worse than one fit to all frames, against 10 % with a fifth left out and 20 %
    with bootstrap samples, and their disagreement ranks errors as well (Spearman 0.92–0.96; a trial that no
    script here repeats). By the delete-d jackknife (Shao & Wu 1989, DOI 10.1214/aos/1176347263) the error is
    about √(0.9 / 0.1) = 3 times that disagreement. Raises a `UsageError` where networks start from equal
    parameters, or there are fewer frames than closed-form members.

    Parameters
    ----------
    seed : decides the batches, and the frames each closed-form member is not fitted to.
    """
    require_different([member for member in model.members if isinstance(member, NetworkForceField)])
    if networks := model.networks:
        each = None if weights is None else np.tile(weights, (len(networks), 1))
        trained = fit_members(networks, train, validation, stage, each, seed=seed, watch=watch)
        return Ensemble([network for network, _ in trained]), _mean_history([h for _, h in trained])
    parts = []
    subsamples = _subsamples(len(train), len(model.members), seed)
    for member, kept in zip(model.members, subsamples, strict=True):
        rows = kept if isinstance(member, Fittable) else np.arange(len(train), dtype=np.int64)
        importance = None if weights is None else weights[rows]
        parts.append(partial(_member, member, train[rows], validation, stage, importance, seed=seed))
    members, histories = _each(parts, watch)
    seconds = sum(history.seconds for history in histories)
    notes = {"members": len(members), "left_out": LEFT_OUT, "each": [dict(h.notes) for h in histories]}
    return Ensemble(members), History(stage=stage.name, seconds=seconds, notes=notes)


def trains_members(model: ForceField) -> bool:
    """Return whether a model's members are trained each by itself, not side by side as one program."""
    return bool(model.members) and not (isinstance(model, Ensemble) and model.networks)


def _each(
    parts: Sequence[Callable[..., Trained]], watch: Watch
) -> tuple[tuple[ForceField, ...], tuple[History, ...]]:
    """Return members that are trained each by itself, and the history of each."""
    calls = {f"member {number} of {len(parts)}": part for number, part in enumerate(parts, 1)}
    trained = watch.each(calls)
    return tuple(one.model for one in trained), tuple(one.histories[0] for one in trained)


def _member(
    model: ForceField,
    train: Frames,
    validation: Frames,
    stage: Stage,
    weights: FloatArray | None,
    *,
    seed: int,
    watch: Watch,
) -> Trained:
    """Return a member as `train_one` trains it; a function, which other processes can be given."""
    fitted, history = train_one(model, train, validation, stage, weights, seed=seed, watch=watch)
    # a copy of a kernel leaves its factor, which may take gigabytes
    return Trained(copy(fitted), (history,))


def _subsamples(n: int, members: int, seed: int) -> list[IntArray]:
    """Return the rows that each member is fitted to, in order; no two members leave the same ones out."""
    if n < max(members, 2):
        raise UsageError(
            f"an ensemble of {members} members needs at least as many training frames, since a closed-form "
            f"one differs from the others by the frames it does not see, got {n}"
        )
    rng, out = np.random.default_rng(seed), max(1, round(LEFT_OUT * n))
    left: dict[tuple[int, ...], IntArray] = {}
    while len(left) < members:
        order = rng.permutation(n)
        parts = [np.sort(order[start : start + out]) for start in range(0, n - out + 1, out)]
        left |= {tuple(part.tolist()): part for part in parts}
    return [np.setdiff1d(np.arange(n), part) for part in list(left.values())[:members]]


def _mean_history(histories: list[History]) -> History:
    """Return one history: mean losses, the last of the best steps, each member's in the notes."""
    first = histories[0]
    each = [{"best_step": h.best_step, "best_validation": h.notes["best_validation"]} for h in histories]
    train, validation = (
        tuple(np.mean([getattr(h, name) for h in histories], axis=0).tolist())
        for name in ("train", "validation")
    )
    return replace(
        first,
        train=train,
        validation=validation,
        best_step=max(h.best_step for h in histories),
        notes={
            **first.notes,
            "best_validation": float(np.mean([e["best_validation"] for e in each])),
            "each": each,
        },
    )
