"""What the next round labels: estimate the pool's errors, let the picker pick, say why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.campaign.measure import Regions
from fidsel.campaign.mixture import candidates, mixture, probe_ids
from fidsel.campaign.record import HeldOut, Pick
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.data.frames import BoolArray, FloatArray
from fidsel.models import ForceField, load
from fidsel.selector import DESCRIPTORS, BroadClusters, Cheap, Pool, Probe, Random, Reference
from fidsel.selector.pool import ErrorSource
from fidsel.training.evaluate import errors


@dataclass(frozen=True)
class Choice:
    """Picks of a round and how the errors behind them were estimated."""

    picks: tuple[Pick, ...]
    error_source: Mapping[str, Any]
    notes: tuple[str, ...]


def fit_regions(ws: Workspace, held: HeldOut, model: ForceField) -> Regions:
    """Return broad clusters of all frames that may be trained on, made once, after round 0."""
    rules, frames = ws.campaign.rules, ws.store.frames(candidates(ws, held))
    clusters = BroadClusters.fit(
        DESCRIPTORS[rules.descriptor](frames),
        model.predict(frames).energy,
        n_geometry=rules.clusters,
        n_energy=rules.energy_clusters,
        seed=ws.campaign.seed_for("clusters"),
    )
    return Regions(clusters, model, rules.descriptor)


def choose(ws: Workspace, held: HeldOut, index: int, n: int) -> Choice:
    """Return `n` frames to label in a round (fewer where the pool has fewer), with reasons."""
    campaign = ws.campaign
    ids = candidates(ws, held)
    owned = set(mixture(ws, index).accurate) | set(ws.store.failed_ids(campaign.accurate))
    labelled = np.array([frame in owned for frame in ids])
    n = min(n, int((~labelled).sum()))
    frames, rng = ws.store.frames(ids), campaign.rng("picks", index)
    previous = campaign.folder.round(index - 1)
    pool = _pool(ws, frames, labelled)
    source: dict[str, Any] = {"kind": "none"}
    if isinstance(campaign.picker, Random):
        picks = campaign.picker.pick(pool, n, rng)
    else:
        estimate, source = _estimate(ws, index, frames, pool, previous)
        # probes drawn a moment ago are owned now
        taken = labelled | np.isin(np.array(ids), probe_ids(ws.store, index))
        n = min(n, int((~taken).sum()))
        picks = campaign.picker.pick(_with(pool, errors=estimate, labelled=taken), n, rng)
        source |= {"estimates": {ids[i]: float(estimate[i]) for i in picks.indices}}
    names = [fidelity.name for fidelity in campaign.fidelities]
    rows = zip(picks.indices, picks.fidelity, picks.cluster, picks.reason, strict=True)
    chosen = tuple(Pick(ids[i], int(i), names[level], int(cluster), why) for i, level, cluster, why in rows)
    return Choice(chosen, source, picks.notes)


def _pool(ws: Workspace, frames: Frames, labelled: BoolArray) -> Pool:
    regions = Regions.load(ws.campaign.folder.round(0), ws.campaign.rules.descriptor)
    costs = np.array([ws.price(fidelity) for fidelity in ws.campaign.fidelities])
    return Pool(
        features=regions.features(frames),
        clusters=regions.of(frames),
        errors=np.full(len(frames), np.nan),
        energies=regions.model.predict(frames).energy,
        costs=np.broadcast_to(costs, (len(frames), len(costs))),
        labelled=labelled,
    )


def _with(pool: Pool, errors: FloatArray, labelled: BoolArray) -> Pool:
    return Pool(pool.features, pool.clusters, errors, pool.energies, pool.costs, labelled)


def _estimate(
    ws: Workspace, index: int, frames: Frames, pool: Pool, previous: Path
) -> tuple[FloatArray, dict[str, Any]]:
    """Return the estimated error of every frame, after labelling what the error source wants."""
    kind = ws.campaign.rules.error
    source = _error_source(ws, frames, previous)
    wanted = probe_ids(ws.store, index)
    if not wanted:
        rng = ws.campaign.rng("probe", index)
        rows = source.wants(pool, ws.campaign.rules.probes, rng)
        if kind == "reference":
            rows = np.flatnonzero(~pool.labelled)
        wanted = tuple(frames.ids[i] for i in rows)
        ws.store.put_record(f"round-{index}-probe", {"frames": list(wanted)})
    known = np.full(len(frames), np.nan)
    if wanted:
        ws.buy(ws.campaign.accurate, wanted, "probe")
        probed = ws.labelled(ws.campaign.accurate, wanted)
        row = {frame: i for i, frame in enumerate(frames.ids)}
        measured = errors(load(previous / "model"), probed).per_frame_force_rmse
        known[[row[frame] for frame in probed.ids]] = measured
    estimate = source.estimate(pool, known)
    return estimate, {"kind": kind, "labelled": len(wanted), "overall": float(np.sqrt(np.mean(estimate**2)))}


def _error_source(ws: Workspace, frames: Frames, previous: Path) -> ErrorSource:
    kind = ws.campaign.rules.error
    if kind == "reference":
        return Reference()
    if kind == "probe":
        return Probe()
    return Cheap(cheap_errors(ws, frames, previous))


def cheap_errors(ws: Workspace, frames: Frames, previous: Path) -> FloatArray:
    """Return (n,) force RMSE of the dearest surrogate on cheap labels it was not trained on, else NaN."""
    out = np.full(len(frames), np.nan)
    folders = sorted((previous / "surrogates").glob("[0-9]*"))
    if not folders:
        return out
    surrogate = load(folders[-1])
    level = next(f for f in ws.campaign.cheap if f.name == surrogate.level)
    unseen = set((folders[-1] / "unseen.txt").read_text().split())
    row = {frame: i for i, frame in enumerate(frames.ids) if frame in unseen}
    labelled = ws.labelled(level, tuple(row))
    if len(labelled):
        out[[row[frame] for frame in labelled.ids]] = errors(surrogate, labelled).per_frame_force_rmse
    return out
