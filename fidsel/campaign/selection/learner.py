"""Learners: train a model on a set of frames that grows from round to round."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from fidsel.arrays import IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.baseline import over
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.contract import Fittable, ForceField, Watchable
from fidsel.models.watch import QUIET, Watch
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.recipes.standard import STAGE
from fidsel.training.stage import Stage

VALIDATION = 0.2
"""Part of the first frames that validates."""


@runtime_checkable
class Updatable(Fittable, Protocol):
    """A model with a closed-form fit that further frames can be added to, such as `SGDML`."""

    def update(self, frames: Frames) -> tuple[ForceField, dict[str, Any]]:
        """Return the model fitted to its training frames and these, and a record."""
        ...


class Learner(Protocol):
    """Trains a model on rows of labelled frames."""

    def learn(self, additions: Sequence[IntArray]) -> ForceField:
        """Return the model trained on the rows of all additions, in order of addition.

        The same additions give the same model, whatever was learnt before.
        """
        ...

    def sibling(self) -> Self:
        """Return a learner for other additions to the same start, which it need not learn again."""
        ...


def learner(
    model: Callable[[int], ForceField],
    frames: Frames,
    seed: int,
    *,
    stage: Stage = STAGE,
    watch: Watch = QUIET,
    baseline: SourceLabels | None = None,
) -> Learner:
    """Return the learner that suits a model.

    Parameters
    ----------
    model : builds an untrained model from a seed.
    frames : the labelled frames that rows count in.
    seed : decides initial parameters, batches and validation frames.
    watch : hears how far each training is; it keeps nothing.
    baseline : is beneath the model, see `fidsel.training.baseline`.

    Raises
    ------
    BaselineError
        where the baseline fails for some frames.
    """
    if baseline is not None:
        above = learner(model, baseline.subtract(frames), seed, stage=stage, watch=watch)
        return OverBaseline(above, baseline)
    watch = replace(watch, checkpoints=None)  # these are of one training
    if isinstance(model(seed), Updatable):
        return Incremental(model, frames, seed, watch=watch)
    return Retrained(model, frames, seed, stage, watch)


class OverBaseline:
    """Adds a baseline to models of what labels are above it.

    Parameters
    ----------
    learner : learns the labels minus those of the baseline.
    baseline : is added to its models.
    """

    def __init__(self, learner: Learner, baseline: SourceLabels) -> None:
        self._learner, self._baseline = learner, baseline

    def learn(self, additions: Sequence[IntArray]) -> ForceField:
        """Return the baseline plus the model of all additions."""
        return over(self._baseline, self._learner.learn(additions))

    def sibling(self) -> Self:
        """Return a learner with the same baseline that goes its own way from the start."""
        return type(self)(self._learner.sibling(), self._baseline)


class Start:
    """The model of the start, which clusters, the first round and both arms of a selection ask for."""

    def __init__(self) -> None:
        self._known: tuple[IntArray, ForceField] | None = None

    def learn(self, rows: IntArray, train: Callable[[IntArray], ForceField]) -> ForceField:
        """Return the model that `train` makes of rows; those of the last call are not learnt again."""
        if self._known is None or not np.array_equal(self._known[0], rows):
            self._known = rows, train(rows)
        return self._known[1]


class Incremental:
    """A kernel model fitted to the first rows, to which the others are added.

    A fifth of the first rows chooses the length scale and is trained on afterwards. The length scale
    then stays, so that rounds differ by their frames alone.

    Parameters
    ----------
    start : model of the start, where another learner shares it.
    """

    def __init__(
        self,
        model: Callable[[int], ForceField],
        frames: Frames,
        seed: int,
        start: Start | None = None,
        watch: Watch = QUIET,
    ) -> None:
        self._fresh, self._frames, self._seed, self._watch = model, frames, seed, watch
        self._start = start or Start()
        self._learnt: list[IntArray] = []
        self._model: ForceField | None = None

    def learn(self, additions: Sequence[IntArray]) -> ForceField:
        """Return the model of all additions; those of the last call are not learnt again."""
        before = list(additions[: len(self._learnt)])
        if self._model is None or not same_rows(before, self._learnt):
            self._learnt, self._model = [additions[0]], self._start.learn(additions[0], self._fit)
        for rows in additions[len(self._learnt) :]:
            self._model = _updatable(self._model).update(self._frames[rows])[0]
            self._learnt.append(rows)
        return self._model

    def sibling(self) -> Self:
        """Return a learner that shares the model of the start and goes its own way from there."""
        return type(self)(self._fresh, self._frames, self._seed, self._start, self._watch)

    def _fit(self, rows: IntArray) -> ForceField:
        train, held = validation_rows(rows, self._seed)
        fresh = self._fresh(self._seed)
        if isinstance(fresh, Watchable):
            fresh = fresh.watched(self._watch.part("start"))
        fitted, _ = _updatable(fresh).fit(self._frames[train], self._frames[held])
        return _updatable(fitted).update(self._frames[held])[0]


class Retrained:
    """A model trained from scratch on all rows; a fifth of the first rows validates in every round."""

    def __init__(
        self,
        model: Callable[[int], ForceField],
        frames: Frames,
        seed: int,
        stage: Stage = STAGE,
        watch: Watch = QUIET,
    ) -> None:
        self._fresh, self._frames, self._seed, self._stage = model, frames, seed, stage
        self._watch = watch
        self._start = Start()

    def learn(self, additions: Sequence[IntArray]) -> ForceField:
        """Return the model of all additions; that of the start alone is trained once."""
        if len(additions) > 1:
            return self._train(additions)
        return self._start.learn(additions[0], lambda rows: self._train([rows]))

    def sibling(self) -> Self:
        """Return the learner itself: it keeps nothing but the model of the start."""
        return self

    def _train(self, additions: Sequence[IntArray]) -> ForceField:
        first, held = validation_rows(additions[0], self._seed)
        rows = np.concatenate([first, *additions[1:]])
        untrained = self._fresh(self._seed)
        train, validation = self._frames[rows], self._frames[held]
        watch = self._watch.part(f"{len(rows)} labels")
        return train_one(untrained, train, validation, self._stage, seed=self._seed, watch=watch)[0]


def validation_rows(rows: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Return the rows to train on and those that validate, a fifth drawn at random.

    Raises a `UsageError` for fewer than two rows.
    """
    if len(rows) < 2:
        raise UsageError(f"training needs at least two labelled frames to start from, got {len(rows)}")
    order = np.random.default_rng(seed).permutation(rows)
    held = max(1, round(VALIDATION * len(rows)))
    return np.sort(order[held:]), np.sort(order[:held])


def same_rows(a: Sequence[IntArray], b: Sequence[IntArray]) -> bool:
    """Return whether two lists of additions are the same."""
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def _updatable(model: ForceField) -> Updatable:
    if not isinstance(model, Updatable):
        raise UsageError(f"a {model.kind} model cannot be updated")
    return model
