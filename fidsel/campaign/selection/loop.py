"""`select`: pick frames of a file, train, measure, pick again, as a generator of rounds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from time import perf_counter
from typing import NamedTuple, Self

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.campaign.selection.held_out import SetErrors, set_errors
from fidsel.campaign.selection.learner import Learner, same_rows
from fidsel.campaign.selection.settings import NONE, Selection, SelectionRound, divide
from fidsel.data import Frames
from fidsel.data.checks.finding import few
from fidsel.models.contract import ForceField
from fidsel.selector.cluster_error import cluster_errors
from fidsel.selector.clusters.broad import BroadClusters
from fidsel.selector.conformal import Score, score
from fidsel.selector.pickers.cluster_error import Random
from fidsel.selector.pool import ErrorSource, Picker, Pool
from fidsel.selector.stopping import Stopping
from fidsel.training.evaluate import frame_errors

ROUND_LIMIT = "round limit"
UNLABELLED = "the {} have no labels yet: label them, then select again from the file that has their labels"


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
    reference : whether labels of candidates may be looked at: the source is told all errors, and energies
        of the labels make clusters; else it is told those of probes only.
    probing : whether the source asks for labels of random frames in each round.
    known : (n,) as for `divide`, where the selection began with fewer labels.

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
        reference: bool,
        probing: bool = False,
        known: BoolArray | None = None,
    ) -> None:
        self.frames, self.features, self.learner = frames, features, learner
        self.picker, self.source, self.selection = picker, source, selection
        self.reference, self.probing = reference, probing
        self.division, self.forces = divide(frames, selection, known), bool(frames.has_forces.any())
        self._last: tuple[list[IntArray], Learnt] | None = None

    @property
    def unit(self) -> str:
        """Unit of all errors."""
        return "eV/Å" if self.forces else "eV"

    def learn(self, additions: Sequence[IntArray]) -> Learnt:
        """Return the model trained on the rows of all additions, and its errors."""
        if self._last is not None and same_rows(self._last[0], additions):
            return self._last[1]
        model = self.learner.learn(additions)
        rows = np.flatnonzero(self.division.labelled)
        values = np.full(len(self.frames), np.nan)
        values[rows] = frame_errors(model, self.frames[rows], self.forces)
        self._last = list(additions), Learnt(model, values)
        return self._last[1]

    @property
    def weights(self) -> IntArray | None:
        """(n,) components of each frame's error, to weigh frames of several molecules; None for energies."""
        return self.frames.sizes if self.forces else None

    @cached_property
    def energies(self) -> FloatArray:
        """(n,) eV that clusters and pickers see, NaN = unknown.

        Of the labels, or of the first model where labels are not to be looked at; none where frames are of
        several compositions, whose energies do not compare.
        """
        if len(set(self.frames.formulas)) > 1:
            return np.full(len(self.frames), np.nan)
        if self.reference and np.isfinite(self.frames.energy[self.division.pool]).any():
            return self.frames.energy
        return self.learner.learn([self.division.start]).predict(self.frames).energy

    @cached_property
    def clusters(self) -> tuple[BroadClusters, IntArray]:
        """Broad clusters of the pool, and the cluster (n,) of every frame of the file."""
        pool, numbers = self.division.pool, self.selection
        made = BroadClusters.fit(
            self.features[pool],
            self.energies[pool],
            n_geometry=numbers.clusters,
            n_energy=numbers.energy_clusters,
            seed=numbers.seed,
        )
        labels = np.empty(len(self.frames), dtype=np.int64)
        others = np.setdiff1d(np.arange(len(labels)), pool)
        labels[pool] = made.labels
        labels[others] = made.assign(self.features[others], self.energies[others])
        return made, labels

    def control_arm(self) -> Self:
        """Return the control arm: random frames on the same start and clusters, as many labels a round."""
        probes = self.selection.probes if self.probing else 0
        numbers = replace(self.selection, size=self.selection.size + probes, stopping=Stopping())
        learner = self.learner.sibling()
        arm = type(self)(
            self.frames, self.features, learner, Random(), None, numbers, reference=self.reference,
            known=self.division.known,
        )  # fmt: skip
        arm.energies, arm.clusters = self.energies, self.clusters
        return arm


def select(task: Task, done: Sequence[SelectionRound] = ()) -> Iterator[SelectionRound]:
    """Yield the rounds of a selection that come after those that are done.

    Round 0 trains on the start. Each later round estimates the errors of the candidates, lets the picker
    pick, trains on what is labelled by then and measures on the frames held out. The same task gives
    the same rounds, whether in one go or continued. It ends where probes or picks have no labels yet; a round
    that waited for labels which have come is made again.

    Parameters
    ----------
    task : what to select from, and how.
    done : earlier rounds of the same task.

    Raises
    ------
    UsageError
        where the model cannot be trained on the frames, or the picker refuses them.
    """
    rounds = list(done)
    if rounds and _answered(task, rounds[-1]):
        rounds.pop()
    while not (rounds and _ended(task, rounds[-1])):
        began = perf_counter()
        found = _pick(task, rounds) if rounds else _start(task)
        found = found if found.stop else _measure(task, rounds, found)
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
    repeats = task.division.repeats
    text = f"{repeats} frames repeat configurations that are held out: left out, as those stay unseen"
    notes = (text,) if repeats else ()
    return SelectionRound(0, None, NONE, len(task.division.start), None, None, None, notes=notes)


def _pick(task: Task, rounds: Sequence[SelectionRound]) -> SelectionRound:
    """Return the next round with its picks, not measured yet."""
    index, before = len(rounds), additions(task, rounds)
    taken = np.concatenate([*before, rounds[-1].probes])
    pool = _pool(task, taken)
    probes, estimate = NONE, None
    if task.source is not None:
        source = task.source(Situation(task.learn(before).model, before, task.division.pool))
        wanted = source.wants(pool, task.selection.probes, task.selection.rng(1, index))
        probes = task.division.pool[wanted]
        if not task.division.labelled[probes].all():
            return _waiting(task, index, probes, len(taken) + len(probes))
        pool, estimate = _estimate(task, source, pool, before, wanted)
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
        energies=task.energies[rows],
        costs=np.ones((len(rows), 1)),
        labelled=np.isin(rows, taken),
        unit=task.unit,
        cost_unit="label",
    )


def _waiting(task: Task, index: int, probes: IntArray, labels: int) -> SelectionRound:
    """Return a round that cannot pick before its probes have labels."""
    lost = probes[~task.division.labelled[probes]]
    note = (
        f"errors are estimated from {len(probes)} probes, and {len(lost)} have no label: {few(lost.tolist())}"
    )
    stop = UNLABELLED.format("probes")
    return SelectionRound(index, None, probes, labels, None, None, None, notes=(note,), stop=stop)


def _estimate(
    task: Task, source: ErrorSource, pool: Pool, before: Sequence[IntArray], wanted: IntArray
) -> tuple[Pool, Score | None]:
    """Return the pool with errors estimated from the rows wanted, and how good the estimates are."""
    rows = task.division.pool
    truth = task.learn(before).errors[rows]
    known = np.where(pool.labelled, np.nan, truth) if task.reference else np.full(len(rows), np.nan)
    known[wanted] = truth[wanted]
    labelled = pool.labelled.copy()
    labelled[wanted] = True
    guess = source.estimate(replace(pool, labelled=labelled), known)
    free = ~labelled
    good = None if task.reference else score(guess[free], truth[free], pool.clusters[free])
    return replace(pool, labelled=labelled, errors=guess), good


def _measure(task: Task, rounds: Sequence[SelectionRound], found: SelectionRound) -> SelectionRound:
    """Return a round with the errors of its model and whether the selection ends here."""
    now = additions(task, [*rounds, found])
    if not task.division.labelled[np.concatenate(now)].all():
        return replace(found, stop=UNLABELLED.format("picks"))
    learnt, clusters = task.learn(now), task.clusters[1]
    held = task.division.held_out
    free = np.setdiff1d(task.division.pool, np.concatenate(now))
    free = free[task.division.labelled[free]]
    found = replace(
        found,
        held_out=_of(task, held, learnt.errors, clusters),
        pool=_of(task, free, learnt.errors, clusters) if len(free) else None,
        clusters=cluster_errors(
            clusters[held],
            learnt.errors[held],
            None if task.weights is None else task.weights[held].astype(np.float64),
        ),
    )
    return replace(found, stop=_stop(task, [*rounds, found], learnt.errors[held]))


def _of(task: Task, rows: IntArray, errors: FloatArray, clusters: IntArray) -> SetErrors:
    weights = None if task.weights is None else task.weights[rows]
    return set_errors(errors[rows], clusters[rows], weights)


def _ended(task: Task, last: SelectionRound) -> bool:
    """Return whether the selection is over; one that reached its limit goes on where the limit was raised."""
    raised = last.stop.startswith(ROUND_LIMIT) and last.index < task.selection.rounds
    return bool(last.stop) and not raised


def _answered(task: Task, last: SelectionRound) -> bool:
    """Return whether the labels that a round waited for have come."""
    if last.stop not in (UNLABELLED.format("picks"), UNLABELLED.format("probes")):
        return False
    rows = np.concatenate([last.probes, NONE if last.picks is None else last.picks.indices])
    return bool(task.division.labelled[rows].all())


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
