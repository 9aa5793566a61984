"""`select`: pick frames of a file, train, measure, pick again, as a generator of rounds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple, Self

import numpy as np

from fidsel.data import Frames
from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.models.contract import ForceField
from fidsel.selector.cluster_error import cluster_errors
from fidsel.selector.clusters import BroadClusters
from fidsel.selector.conformal import Score, score
from fidsel.selector.held_out import set_errors
from fidsel.selector.learner import Learner
from fidsel.selector.pickers import Random
from fidsel.selector.pool import ErrorSource, Picker, Pool
from fidsel.selector.selection import Selection, SelectionRound, divide
from fidsel.selector.stopping import Stopping
from fidsel.training.evaluate import errors

NONE = np.empty(0, dtype=np.int64)
ROUND_LIMIT = "round limit"
UNLABELLED = "the picks have no labels yet: label them, and select from the file that has their labels"


@dataclass(frozen=True, eq=False)
class Situation:
    """What the errors of candidates may be estimated from.

    Parameters
    ----------
    model : of the round before.
    additions : rows of the file it was trained on, the start first.
    candidates : rows of the file that a pool holds, in its order.
    """

    model: ForceField
    additions: Sequence[IntArray]
    candidates: IntArray


Source = Callable[[Situation], ErrorSource]
"""Makes the error source of a round."""


class Learnt(NamedTuple):
    """A model and its errors (n,) on all frames of the file, NaN without label."""

    model: ForceField
    errors: FloatArray


class Task:
    """A selection from a file: what stays the same from round to round.

    Parameters
    ----------
    frames : of the file, some or all with labels.
    features : (n, d) descriptor of each.
    learner : trains on rows of `frames`.
    picker : chooses.
    source : makes the error source of a round; None for pickers that look at no errors.
    selection : the numbers.
    reference : whether the source is told the errors of all candidates; else of probes only.

    Raises
    ------
    UsageError
        where too few frames have labels.
    """

    def __init__(
        self,
        frames: Frames,
        features: FloatArray,
        learner: Learner,
        picker: Picker,
        source: Source | None,
        selection: Selection,
        *,
        reference: bool = True,
    ) -> None:
        self.frames, self.features, self.learner = frames, features, learner
        self.picker, self.source, self.selection, self.reference = picker, source, selection, reference
        self.division, self.forces = divide(frames, selection), bool(frames.has_forces.any())
        self._last: tuple[list[IntArray], Learnt] | None = None

    @property
    def unit(self) -> str:
        """Unit of all errors."""
        return "eV/Å" if self.forces else "eV"

    def learn(self, additions: Sequence[IntArray]) -> Learnt:
        """Return the model trained on the rows of all additions, and its errors."""
        if self._last is not None and _equal(self._last[0], additions):
            return self._last[1]
        model = self.learner.learn(additions)
        rows = np.flatnonzero(self.division.labelled)
        found = errors(model, self.frames[rows])
        values = np.full(len(self.frames), np.nan)
        values[rows] = found.per_frame_force_rmse if self.forces else found.per_frame_energy
        self._last = list(additions), Learnt(model, values)
        return self._last[1]

    @cached_property
    def clusters(self) -> tuple[BroadClusters, IntArray]:
        """Broad clusters of the pool, and the cluster (n,) of every frame of the file.

        Their energies are those of the labels, or of the first model where labels are not to be known.
        """
        energies = self.frames.energy
        if not (self.reference and np.isfinite(energies[self.division.pool]).any()):
            energies = self.learner.learn([self.division.start]).predict(self.frames).energy
        pool, held, numbers = self.division.pool, self.division.held_out, self.selection
        made = BroadClusters.fit(
            self.features[pool],
            energies[pool],
            n_geometry=numbers.clusters,
            n_energy=numbers.energy_clusters,
            seed=numbers.seed,
        )
        labels = np.empty(len(self.frames), dtype=np.int64)
        labels[pool] = made.labels
        labels[held] = made.assign(self.features[held], energies[held])
        return made, labels

    def control(self, learner: Learner) -> Self:
        """Return the control arm: random frames, as many a round, on the same start and clusters."""
        numbers = replace(self.selection, stopping=Stopping())
        arm = type(self)(self.frames, self.features, learner, Random(), None, numbers)
        arm.clusters = self.clusters
        return arm


def select(task: Task, done: Sequence[SelectionRound] = ()) -> Iterator[SelectionRound]:
    """Yield the rounds of a selection that come after those that are done.

    Round 0 trains on the start. Each later round estimates the errors of the candidates, lets the picker
    pick, trains on what is labelled by then and measures on the frames held out. The same task gives
    the same rounds, whether in one go or continued.

    Parameters
    ----------
    task : what to select from, and how.
    done : earlier rounds of the same task.

    Raises
    ------
    UsageError
        where the model cannot be trained on the frames, the picker refuses them, or labels that the error
        source asks for are not there.
    """
    rounds = list(done)
    while not (rounds and _ended(task, rounds[-1])):
        began = perf_counter()
        found = _pick(task, rounds) if rounds else _start(task)
        found = _measure(task, rounds, found)
        found = replace(found, seconds=perf_counter() - began)
        rounds.append(found)
        yield found


def additions(task: Task, rounds: Sequence[SelectionRound]) -> list[IntArray]:
    """Return the rows of the file that each round added to the training set; probes come a round later."""
    out = [task.division.start]
    for before, after in pairwise(rounds):
        out.append(np.concatenate([before.probes, NONE if after.picks is None else after.picks.indices]))
    return out


def _start(task: Task) -> SelectionRound:
    return SelectionRound(0, None, NONE, len(task.division.start), None, None, None)


def _pick(task: Task, rounds: Sequence[SelectionRound]) -> SelectionRound:
    """Return the next round with its picks, not measured yet."""
    index, before = len(rounds), additions(task, rounds)
    taken = np.concatenate([*before, rounds[-1].probes])
    pool = _pool(task, taken)
    probes, estimate = NONE, None
    if task.source is not None:
        pool, probes, estimate = _estimate(task, pool, before, index)
    count = min(task.selection.size, int((~pool.labelled).sum()))
    picks = task.picker.pick(pool, count, task.selection.rng(2, index))
    picks = replace(picks, indices=task.division.pool[picks.indices])
    labels = len(taken) + len(probes) + count
    return SelectionRound(index, picks, probes, labels, None, None, None, estimate, notes=picks.notes)


def _pool(task: Task, taken: IntArray) -> Pool:
    rows = task.division.pool
    return Pool(
        features=task.features[rows],
        clusters=task.clusters[1][rows],
        errors=np.full(len(rows), np.nan),
        energies=task.frames.energy[rows],
        costs=np.ones((len(rows), 1)),
        labelled=np.isin(rows, taken),
        unit=task.unit,
    )


def _estimate(
    task: Task, pool: Pool, before: Sequence[IntArray], index: int
) -> tuple[Pool, IntArray, Score | None]:
    """Return the pool with estimated errors, the probes this took, and how good the estimates are."""
    if task.source is None:
        raise UsageError("there is no error source to estimate errors with")
    rows = task.division.pool
    learnt = task.learn(before)
    truth = learnt.errors[rows]
    source = task.source(Situation(learnt.model, before, rows))
    wanted = source.wants(pool, task.selection.probes, task.selection.rng(1, index))
    if (lost := np.isnan(truth[wanted])).any():
        raise UsageError(
            f"the error source asks for labels of {len(wanted)} frames, and {lost.sum()} have none: "
            "take error = 'committee' or 'latent', or label more of the file"
        )
    known = np.where(pool.labelled, np.nan, truth) if task.reference else np.full(len(rows), np.nan)
    known[wanted] = truth[wanted]
    labelled = pool.labelled.copy()
    labelled[wanted] = True
    guess = source.estimate(replace(pool, labelled=labelled), known)
    free = ~labelled
    good = None if task.reference else score(guess[free], truth[free], pool.clusters[free])
    return replace(pool, labelled=labelled, errors=guess), rows[wanted], good


def _measure(task: Task, rounds: Sequence[SelectionRound], found: SelectionRound) -> SelectionRound:
    """Return a round with the errors of its model and whether the selection ends here."""
    now = additions(task, [*rounds, found])
    if not task.division.labelled[np.concatenate(now)].all():
        return replace(found, stop=UNLABELLED)
    learnt, clusters = task.learn(now), task.clusters[1]
    held = task.division.held_out
    free = np.setdiff1d(task.division.pool, np.concatenate(now))
    free = free[task.division.labelled[free]]
    found = replace(
        found,
        held_out=set_errors(learnt.errors[held], clusters[held]),
        pool=set_errors(learnt.errors[free], clusters[free]) if len(free) else None,
        clusters=cluster_errors(clusters[held], learnt.errors[held]),
    )
    return replace(found, stop=_stop(task, [*rounds, found], learnt.errors[held]))


def _ended(task: Task, last: SelectionRound) -> bool:
    """Return whether the selection is over; one that reached its limit goes on where the limit was raised."""
    raised = last.stop.startswith(ROUND_LIMIT) and last.index < task.selection.rounds
    return bool(last.stop) and not raised


def _stop(task: Task, rounds: Sequence[SelectionRound], held_errors: FloatArray) -> str:
    """Return why the selection ends with the last of these rounds, "" where it goes on."""
    numbers, last = task.selection, rounds[-1]
    errors = [one.held_out.rmse for one in rounds if one.held_out is not None]
    made, labels = task.clusters
    clusters = labels[task.division.held_out]
    why = (
        numbers.stopping.low(errors[-1], task.unit)
        or numbers.stopping.everywhere_low(held_errors, clusters, task.unit, made.merges)
        or numbers.stopping.flat(errors)
    )
    if why:
        return why
    if last.index >= numbers.rounds:
        return f"{ROUND_LIMIT}: {numbers.rounds} rounds of picking are done"
    labelled = np.concatenate([*additions(task, rounds), last.probes])
    return "pool exhausted: every candidate is labelled" if len(labelled) >= len(task.division.pool) else ""


def _equal(a: Sequence[IntArray], b: Sequence[IntArray]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
