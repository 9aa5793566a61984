"""`select`: pick frames of a file, train, measure, pick again, as a generator of rounds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Literal

import numpy as np

from fidsel.arrays import IntArray
from fidsel.campaign.records.round import Pick
from fidsel.campaign.selection.settings import SelectionRound
from fidsel.campaign.selection.task import Task
from fidsel.data.checks.finding import few
from fidsel.selector import Picks, Pool, Score, cluster_errors, score
from fidsel.selector.step import Proposal
from fidsel.selector.stopping import Stop, Why, worst_bound

LEVEL = "accurate"
"""Level that the frames of a file are labelled at."""


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
        rows = [*before.probes, *(pick.row for pick in after.picks)]
        out.append(np.array(rows, dtype=np.int64))
    return out


def _start(task: Task) -> SelectionRound:
    repeats = task.division.repeats
    text = f"{repeats} frames repeat configurations that are held out: left out, as those stay unseen"
    notes = (text,) if repeats else ()
    return SelectionRound(0, (), (), len(task.division.start), notes=notes)


def _pick(task: Task, rounds: Sequence[SelectionRound]) -> SelectionRound:
    """Return the next round with its picks, not measured yet."""
    index, before, rows = len(rounds), additions(task, rounds), task.division.pool
    taken = np.array([*np.concatenate(before), *rounds[-1].probes], dtype=np.int64)
    pool = task.candidates(taken)
    draw = partial(task.selection.rng, index=index)
    wanted = task.step.draw_probes(pool, task.selection.probes, draw)
    probes = rows[wanted]
    if not task.division.labelled[probes].all():
        return _waiting(task, index, probes, len(taken) + len(probes))
    known = np.full(len(pool), np.nan)
    if task.step.estimates:
        truth = task.learn(before).errors[rows]
        known = np.where(pool.labelled, np.nan, truth) if task.step.source.knows_truth else known
        known[wanted] = truth[wanted]
    pool = replace(pool, labelled=pool.labelled | np.isin(rows, probes))
    found = task.step.propose(
        pool,
        known,
        task.selection.size,
        draw,
        evidence=task.evidence(before),
        merges=task.space.clusters[0].merges if task.step.joins else None,
    )
    return SelectionRound(
        index,
        picks=_described(task, found.picks),
        probes=tuple(probes.tolist()),
        labels=len(taken) + len(probes) + len(found.picks),
        estimate=_quality(task, pool, found, before),
        notes=found.picks.notes,
    )


def _described(task: Task, picks: Picks) -> tuple[Pick, ...]:
    rows = task.division.pool[picks.indices].tolist()
    parts = zip(rows, picks.cluster.tolist(), picks.reason, strict=True)
    return tuple(Pick(task.frames.ids[row], row, LEVEL, cluster, why) for row, cluster, why in parts)


def _quality(task: Task, pool: Pool, found: Proposal, before: Sequence[IntArray]) -> Score | None:
    """Return how well errors were estimated, as far as labels of the pool are known."""
    if found.errors is None or task.step.source.knows_truth:
        return None
    free, truth = ~pool.labelled, task.learn(before).errors[task.division.pool]
    return score(found.errors[free], truth[free], pool.clusters[free])


def _waiting(task: Task, index: int, probes: IntArray, labels: int) -> SelectionRound:
    """Return a round that cannot pick before its probes have labels."""
    lost = probes[~task.division.labelled[probes]]
    note = (
        f"errors are estimated from {len(probes)} probes, and {len(lost)} have no label: {few(lost.tolist())}"
    )
    stop = _unlabelled(Why.PROBES)
    return SelectionRound(index, (), tuple(probes.tolist()), labels, notes=(note,), stop=stop)


def _unlabelled(why: Literal[Why.PROBES, Why.PICKS]) -> Stop:
    what = "probes" if why is Why.PROBES else "picks"
    text = f"the {what} have no labels yet: label them, then select again from the file that has their labels"
    return Stop(why, text)


def _measure(task: Task, rounds: Sequence[SelectionRound], found: SelectionRound) -> SelectionRound:
    """Return a round with the errors of its model and whether the selection ends here."""
    now = additions(task, [*rounds, found])
    if not task.division.labelled[np.concatenate(now)].all():
        return replace(found, stop=_unlabelled(Why.PICKS))
    learnt, clusters, held = task.learn(now), task.space.clusters[1], task.division.held_out
    free = np.setdiff1d(task.division.pool, np.concatenate(now))
    free = free[task.division.labelled[free]]
    weights = task.space.weights
    found = replace(
        found,
        held_out=learnt.metrics(held, clusters),
        pool=learnt.metrics(free, clusters) if len(free) else None,
        clusters=cluster_errors(
            clusters[held],
            learnt.errors[held],
            None if weights is None else weights[held].astype(np.float64),
        ),
    )
    return replace(found, stop=_stop(task, [*rounds, found]))


def _ended(task: Task, last: SelectionRound) -> bool:
    """Return whether the selection is over; one that reached its limit goes on where the limit was raised."""
    if last.stop is None:
        return False
    return last.stop.why is not Why.ROUNDS or last.index >= task.selection.rounds


def _answered(task: Task, last: SelectionRound) -> bool:
    """Return whether the labels that a round waited for have come."""
    if last.stop is None or not last.stop.why.waiting:
        return False
    return bool(task.division.labelled[last.asked].all())


def _stop(task: Task, rounds: Sequence[SelectionRound]) -> Stop | None:
    """Return why the selection ends with the last of these rounds, None where it goes on."""
    rule, last, bound = task.selection.stopping, rounds[-1], None
    errors = [one.held_out.error(rule.measure) for one in rounds if one.held_out is not None]
    if rule.cluster_target is not None:
        (made, labels), held = task.space.clusters, task.division.held_out
        each = task.learn(additions(task, rounds)).errors[held]
        bound = worst_bound(each, labels[held], rule.coverage, made.merges)
    if stop := rule.reason(errors, task.unit, bound):
        return stop
    if last.index >= task.selection.rounds:
        return Stop(Why.ROUNDS, f"round limit: {task.selection.rounds} rounds of picking are done")
    labelled = sum(map(len, additions(task, rounds))) + len(last.probes)
    if labelled >= len(task.division.pool):
        return Stop(Why.POOL, "pool exhausted: every candidate is labelled")
    return None
