"""What the next round labels: estimate the errors of the candidates, let the picker pick, say why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.campaign.plans.coverage import trainable
from fidsel.campaign.plans.plan import Prepared
from fidsel.campaign.plans.round_size import frame_cost, round_size
from fidsel.campaign.records.round import Allocation, Draft, Pick
from fidsel.campaign.rounds.estimate import evidence, measured_errors
from fidsel.campaign.rounds.measure import Regions, View, error_unit
from fidsel.campaign.rounds.refresh import refresh
from fidsel.campaign.rounds.training_set import candidate_rows
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.selector import Picks, Pool
from fidsel.selector.step import Proposal, Step

NO_PROBE = "the picks are drawn at random: no probe could be labelled, see `fidsel status --failed`"
NO_MONEY = (
    "the picks are drawn at random: too little is left to pay for probes, of which fewer rounds or "
    "selector.probes leave more"
)
FEWER = "{} picks of {}: what is left pays for no more of these frames, so selector.per_round is not reached"


def choose(ws: Workspace, ready: Prepared, index: int) -> Allocation:
    """Return what a round of picking buys: the picks with their reasons, each at every level.

    How many, and the probes, are written down before the first probe is bought, so that a campaign
    stopped among them goes on with the same numbers.
    """
    notes = refresh(ws, index)
    rows = candidate_rows(ws.pool, ready.held)
    able = trainable(ws.campaign, ws.cover)[rows]
    # errors of frames that cannot be picked help to estimate those of the others, but not accurate ones
    keep = able if ws.campaign.step.source.knows_truth else np.ones(len(rows), dtype=bool)
    regions = Regions.kept(ws.campaign, ws.pool)
    pool = _pool(ws, regions.of_candidates(ws.pool[rows]), rows, index)[keep]
    rows, able = rows[keep], able[keep]
    frames = ws.pool[rows]
    draft = ws.journal.read(Draft, index) or _draft(ws, ready, frames, pool, able, index)
    # the probes of the round before enter training now, with cheap labels as every accurate frame
    entering, known = ws.journal.probes(index - 1), ws.journal.bought(index - 1).cheap
    beside = {f.name: (*entering, *draft.cheap.get(f.name, ())) for f in ws.campaign.cheap}
    picks, source, more = _pick(ws, regions, frames, pool, able, draft, _new(beside, known), index)
    names = [fidelity.name for fidelity in ws.campaign.fidelities]
    chosen = tuple(
        Pick(frames.ids[i], int(rows[i]), names[level], int(cluster), why)
        for i, level, cluster, why in zip(
            picks.indices, picks.fidelity, picks.cluster, picks.reason, strict=True
        )
    )
    accurate = tuple(pick.frame for pick in chosen)
    cheap = {f.name: (*entering, *accurate, *draft.cheap.get(f.name, ())) for f in ws.campaign.cheap}
    cost = ws.cost({**_new(cheap, known), ws.campaign.accurate.name: (*accurate, *draft.probes)})
    return Allocation(accurate, cheap, chosen, cost, source, (*notes, *more))


def _new(cheap: Mapping[str, Collection[str]], known: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return the frames of each level that it was not asked to label before."""
    return {name: set(ids).difference(known[name]) for name, ids in cheap.items()}


def _taken(ws: Workspace, frames: Frames, index: int) -> BoolArray:
    """Return (n,) True for frames labelled for training (last probes too), late, or failed."""
    accurate = ws.campaign.accurate
    late = ws.journal.late(index - 1).get(accurate.name, ())
    bought = (*ws.journal.bought(index - 1).accurate, *ws.journal.probes(index - 1))
    have = {*ws.store.label_ids(accurate, bought), *ws.store.failed_ids(accurate), *late}
    return np.array([frame in have for frame in frames.ids], dtype=bool)


def _pool(ws: Workspace, view: View, rows: IntArray, index: int) -> Pool:
    """Return the candidates in some rows as error sources and pickers see them."""
    return Pool.of(
        view.features,
        clusters=view.clusters,
        energies=view.energies,
        labelled=_taken(ws, ws.pool[rows], index),
        costs=_costs(ws, rows),
        unit=error_unit(ws.campaign.accurate.forces),
        levels=tuple(fidelity.name for fidelity in ws.campaign.fidelities),
        cost_unit=ws.campaign.budget.unit,
    )


def _costs(ws: Workspace, rows: IntArray) -> FloatArray:
    """Return what a label of candidates costs at each level, (n, n_levels) base units."""
    prices = np.stack([ws.price_of_each(fidelity) for fidelity in ws.campaign.fidelities], axis=1)
    return prices[ws.members.of[rows]]


def _draft(ws: Workspace, ready: Prepared, frames: Frames, pool: Pool, able: BoolArray, index: int) -> Draft:
    """Decide how many frames a round picks and which it probes, and write it down."""
    part = round_size(ws, ready, index)
    drawable = replace(pool, labelled=pool.labelled | ~able)
    drawn = ws.campaign.step.draw_probes(drawable, part.probes, partial(ws.campaign.rng, index=index))
    draft = Draft(part.picks, tuple(frames.ids[row] for row in drawn), part.cheap)
    ws.journal.write(draft, index)
    return draft


def _pick(
    ws: Workspace,
    regions: Regions,
    frames: Frames,
    pool: Pool,
    able: BoolArray,
    draft: Draft,
    beside: Mapping[str, Collection[str]],
    index: int,
) -> tuple[Picks, dict[str, Any], tuple[str, ...]]:
    """Return the picks, how the errors behind them were estimated as plain values, and notes.

    Parameters
    ----------
    able : (n,) True for frames that every level can label.
    beside : cheap labels that the round buys in any case, per level.
    """
    campaign, step = ws.campaign, ws.campaign.step
    known, wanted = np.full(len(frames), np.nan), draft.probes
    if step.estimates:
        if step.source.knows_truth:
            wanted = tuple(frames.ids[row] for row in np.flatnonzero(~pool.labelled))
        known = measured_errors(ws, index, frames, wanted)
        away = {*draft.probes, *ws.store.failed_ids(campaign.accurate)}
        pool = replace(pool, labelled=pool.labelled | np.array([frame in away for frame in frames.ids]))
        # probes are measured too: costs as a campaign that was stopped among them finds them
        pool = replace(pool, costs=_costs(ws, ws.pool.rows(frames.ids)))
    even = campaign.rules.per_round is None
    found = step.propose(
        pool,
        known,
        draft.picks,
        partial(campaign.rng, index=index),
        money=draft.picks * frame_cost(ws) if even else ws.remaining() - ws.cost(beside),
        more=even,
        evidence=evidence(ws, index, frames),
        able=able,
        merges=regions.clusters.merges if step.joins else None,
    )
    notes = found.picks.notes
    if not even and len(found.picks) < min(draft.picks, int((~pool.labelled[able]).sum())):
        notes = (FEWER.format(len(found.picks), draft.picks), *notes)
    if step.estimates and found.errors is None:
        notes = (NO_PROBE if wanted else NO_MONEY, *notes)
    if found.bounds is not None and found.bounds.values is None:
        notes = (f"no bounds of errors: {found.bounds.record['why_none']}", *notes)
    return found.picks, _record(step, found, frames, int(np.isfinite(known).sum())), notes


def _record(step: Step, found: Proposal, frames: Frames, known: int) -> dict[str, Any]:
    """Return how errors were estimated, and the estimate and bound of each pick."""
    if found.errors is None:
        return {"kind": "none"}
    record: dict[str, Any] = {"kind": step.source.name, "labelled": known}
    record["overall"] = float(np.sqrt(np.nanmean(found.errors**2)))
    rows = found.picks.indices
    if np.isfinite(found.errors[rows]).all():
        record["estimates"] = _by_frame(frames, rows, found.errors)
    if found.bounds is not None:
        record["bounds"] = dict(found.bounds.record)
        if found.bounds.values is not None:
            record["bounds"]["picks"] = _by_frame(frames, rows, found.bounds.values)
    return record


def _by_frame(frames: Frames, rows: IntArray, values: FloatArray) -> dict[str, float]:
    return {frames.ids[row]: float(values[row]) for row in rows}
