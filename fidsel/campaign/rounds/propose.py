"""What the next round labels: estimate the errors of the candidates, let the picker pick, say why."""

from dataclasses import replace
from typing import Any

import numpy as np

from fidsel.arrays import BoolArray, FloatArray
from fidsel.campaign.plans.coverage import trainable
from fidsel.campaign.plans.plan import Prepared
from fidsel.campaign.plans.share import share
from fidsel.campaign.records.round import Allocation, Draft, Pick
from fidsel.campaign.rounds.estimate import draw_probes, estimate
from fidsel.campaign.rounds.measure import Regions, error_unit
from fidsel.campaign.rounds.refresh import refresh
from fidsel.campaign.rounds.training_set import (
    bought_for_training,
    candidates,
    read_draft,
    read_late,
    write_draft,
)
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.selector import Pool, Random
from fidsel.selector.pool import Picker, Picks, needs_errors


def choose(ws: Workspace, ready: Prepared, index: int) -> Allocation:
    """Return what a round of picking buys: the picks with their reasons, each at every level.

    How many, and the probes, are written down before the first probe is bought, so that a campaign
    stopped among them goes on with the same numbers.
    """
    notes = refresh(ws, index)
    rows = candidates(ws, ready.held)
    able = trainable(ws.campaign, ws.cover)[rows]
    # errors of frames that cannot be picked help to estimate those of the others, but not accurate ones
    keep = able if ws.campaign.rules.error == "reference" else np.ones(len(rows), dtype=bool)
    pool = _pool(ws, ws.pool[rows], keep, index)
    rows, able = rows[keep], able[keep]
    frames = ws.pool[rows]
    draft = read_draft(ws.store, index) or _draft(ws, ready, frames, pool, able, index)
    picks, source, more = _pick(ws, frames, pool, able, draft, index)
    names = [fidelity.name for fidelity in ws.campaign.fidelities]
    chosen = tuple(
        Pick(frames.ids[i], int(rows[i]), names[level], int(cluster), why)
        for i, level, cluster, why in zip(
            picks.indices, picks.fidelity, picks.cluster, picks.reason, strict=True
        )
    )
    accurate = tuple(pick.frame for pick in chosen)
    # the probes of the round before enter training now, with cheap labels as every accurate frame
    entering = (*read_probes(ws, index - 1), *accurate)
    cheap = {f.name: (*entering, *draft.cheap.get(f.name, ())) for f in ws.campaign.cheap}
    known = bought_for_training(ws, index - 1).cheap
    numbers = {name: len(set(ids).difference(known[name])) for name, ids in cheap.items()}
    cost = ws.cost(numbers | {ws.campaign.accurate.name: len(accurate) + len(draft.probes)})
    return Allocation(accurate, cheap, chosen, cost, source, (*notes, *more))


def read_probes(ws: Workspace, index: int) -> tuple[str, ...]:
    """Return the probes of a round."""
    draft = read_draft(ws.store, index)
    return () if draft is None else draft.probes


def _taken(ws: Workspace, frames: Frames, index: int) -> BoolArray:
    """Return (n,) True for frames labelled for training (last probes too), late, or failed."""
    accurate = ws.campaign.accurate
    late = (read_late(ws.store, index - 1) or {}).get(accurate.name, ())
    bought = (*bought_for_training(ws, index - 1).accurate, *read_probes(ws, index - 1))
    have = {*ws.store.label_ids(accurate, bought), *ws.store.failed_ids(accurate), *late}
    return np.array([frame in have for frame in frames.ids], dtype=bool)


def _pool(ws: Workspace, frames: Frames, keep: BoolArray, index: int) -> Pool:
    """Return the candidates as pickers see them.

    Parameters
    ----------
    frames : all candidates, in the order that the clusters know them in.
    keep : (n,) True for those that are in the pool.
    """
    folder = ws.campaign.folder.round(0)
    model = ws.campaign.load_model(folder / "model")
    regions = Regions.load(folder, ws.campaign.rules, model, ws.pool)
    view = regions.of_candidates(frames)
    costs = np.array([ws.price(fidelity) for fidelity in ws.campaign.fidelities])
    return Pool(
        features=view.features[keep],
        clusters=view.clusters[keep],
        errors=np.full(int(keep.sum()), np.nan),
        energies=view.energies[keep],
        costs=np.broadcast_to(costs, (int(keep.sum()), len(costs))),
        labelled=_taken(ws, frames[keep], index),
        unit=error_unit(ws.campaign.accurate.forces),
        levels=tuple(fidelity.name for fidelity in ws.campaign.fidelities),
        cost_unit=ws.campaign.budget.unit,
    )


def _draft(ws: Workspace, ready: Prepared, frames: Frames, pool: Pool, able: BoolArray, index: int) -> Draft:
    """Decide how many frames a round picks and which it probes, and write it down."""
    part = share(ws, ready, index)
    drawable = replace(pool, labelled=pool.labelled | ~able)
    probes = tuple(frames.ids[row] for row in draw_probes(ws, drawable, part.probes, index))
    draft = Draft(part.picks, probes, part.cheap)
    write_draft(ws.store, index, draft)
    return draft


def _pick(
    ws: Workspace, frames: Frames, pool: Pool, able: BoolArray, draft: Draft, index: int
) -> tuple[Picks, dict[str, Any], tuple[str, ...]]:
    """Return the picks, how the errors behind them were estimated, and notes.

    Parameters
    ----------
    able : (n,) True for frames that every level can label.
    """
    picker: Picker = ws.campaign.picker
    source: dict[str, Any] = {"kind": "none"}  # Any: plain values for the record
    notes: tuple[str, ...] = ()
    bounds: FloatArray | None = None
    if needs_errors(picker):
        found = estimate(ws, index, frames, pool, draft.probes)
        pool, source = replace(pool, labelled=found.taken), found.source
        notes = (found.note,) if found.note else ()
        if found.errors is None:
            picker = Random()
        else:
            pool, bounds = replace(pool, errors=found.errors), found.bounds
    picks = _picked(picker, pool, able, draft.picks, ws.campaign.rng("picks", index))
    if np.isfinite(pool.errors[picks.indices]).all() and source["kind"] != "none":
        source["estimates"] = {frames.ids[i]: float(pool.errors[i]) for i in picks.indices}
    if bounds is not None:
        source["bounds"]["picks"] = {frames.ids[i]: float(bounds[i]) for i in picks.indices}
    return picks, source, (*notes, *picks.notes)


def _picked(picker: Picker, pool: Pool, able: BoolArray, n: int, rng: np.random.Generator) -> Picks:
    """Return at most n picks among the frames that can be labelled; the picker sees no others."""
    rows = np.flatnonzero(able)
    part = pool
    if len(rows) < len(able):
        names = ("features", "clusters", "errors", "energies", "costs", "labelled")
        part = replace(pool, **{name: getattr(pool, name)[rows] for name in names})
    picks = picker.pick(part, min(n, int((~part.labelled).sum())), rng)
    return replace(picks, indices=rows[picks.indices])
