"""The model's error on every candidate: what each error source needs from a campaign, and how good it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.campaign.records.round import Pick
from fidsel.campaign.rounds.bounds import error_bounds
from fidsel.campaign.rounds.measure import read_clusters
from fidsel.campaign.rounds.self_error import disagreement, latent
from fidsel.campaign.rounds.training_set import mixture
from fidsel.campaign.settings import LEARNED
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.models import load
from fidsel.selector import Cheap, Committee, Latent, Pool, Probe, Reference, score
from fidsel.selector.error_sources.sources import random_rows
from fidsel.selector.pool import ErrorSource
from fidsel.training.evaluate import frame_errors


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimated errors of the candidates.

    Parameters
    ----------
    errors : (n,) eV/Å, or eV at a level without forces; None where nothing is known to estimate from.
    taken : (n,) True for frames that cannot be picked: labelled, probed, or failed.
    source : plain values for the record.
    bounds : (n,) upper bounds of the errors, None where none were asked for or could be calibrated.
    note : why there are no errors, or no bounds; "" where there is nothing to say.
    """

    errors: FloatArray | None
    taken: BoolArray
    source: dict[str, Any]
    bounds: FloatArray | None = None
    note: str = ""


def draw_probes(ws: Workspace, pool: Pool, n: int, index: int) -> IntArray:
    """Return the rows to label at random, at most `n`; some of each cluster for the "probe" error source."""
    draw = Probe().wants if ws.campaign.rules.error == "probe" else random_rows
    return draw(pool, n, ws.campaign.rng("probe", index))


def estimate(ws: Workspace, index: int, frames: Frames, pool: Pool, probes: Sequence[str]) -> Estimate:
    """Return the estimated error of every frame, after buying the accurate labels this takes."""
    kind, accurate = ws.campaign.rules.error, ws.campaign.accurate
    previous = ws.campaign.folder.round(index - 1)
    unlabelled = (frames.ids[row] for row in np.flatnonzero(~pool.labelled))
    wanted = tuple(unlabelled) if kind == "reference" else tuple(probes)
    known = np.full(len(frames), np.nan)
    if wanted:
        ws.buy(accurate, wanted, "probe")
        probed = ws.labelled(accurate, wanted)
        known = _placed(frames, probed, _errors(ws, previous / "model", probed))
    count = int(np.isfinite(known).sum())
    away = {*probes, *ws.store.failed_ids(accurate)}
    taken = pool.labelled | np.array([frame in away for frame in frames.ids], dtype=bool)
    if kind in LEARNED and count == 0:
        why = (
            "no probe could be labelled, see `fidsel status --failed`"
            if wanted
            else "too little is left to pay for probes, of which fewer rounds or selector.probes leave more"
        )
        return Estimate(None, taken, {"kind": "none"}, note=f"the picks are drawn at random: {why}")
    pool, made = replace(pool, labelled=taken), _source(ws, index, frames)
    found = made.estimate(pool, known)
    source: dict[str, Any] = {
        "kind": kind,
        "labelled": count,
        "overall": float(np.sqrt(np.nanmean(found**2))),
    }
    if ws.campaign.rules.coverage is None:
        return Estimate(found, taken, source)
    rng = ws.campaign.rng("calibration", index)
    merges = read_clusters(ws.campaign.folder.round(0))[0].merges
    bounds = error_bounds(made, kind, pool, known, ws.campaign.rules.coverage, rng, merges)
    note = "" if bounds.values is not None else f"no bounds of errors: {bounds.record['why_none']}"
    return Estimate(found, taken, source | {"bounds": bounds.record}, bounds.values, note)


def ranking(ws: Workspace, index: int, picks: Sequence[Pick], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the estimates behind the picks of a round ranked them, now that they are labelled.

    Truth is the error of the model before the round on labels it had not seen; see `fidsel.selector.score`.
    The coverage is that of the picks, among which a bound may fail more often than it promises for frames
    drawn at random.
    """
    estimates, bounds = source.get("estimates", {}), source.get("bounds", {}).get("picks")
    labelled = ws.labelled(ws.campaign.accurate, tuple(estimates))
    if len(labelled) == 0:
        return {}
    cluster = {pick.frame: pick.cluster for pick in picks}
    truth = _errors(ws, ws.campaign.folder.round(index - 1) / "model", labelled)
    guess = np.array([estimates[frame] for frame in labelled.ids])
    limits = None if bounds is None else np.array([bounds[frame] for frame in labelled.ids])
    return score(guess, truth, np.array([cluster[frame] for frame in labelled.ids]), limits).to_dict()


def cheap_errors(ws: Workspace, frames: Frames, previous: Path) -> FloatArray:
    """Return (n,) error of the dearest surrogate on cheap labels it was not trained on, else NaN."""
    folders = sorted((previous / "surrogates").glob("[0-9]*"), key=lambda folder: int(folder.name))
    if not folders:
        return np.full(len(frames), np.nan)
    surrogate = load(folders[-1])
    level = next(f for f in ws.campaign.cheap if f.name == surrogate.level)
    unseen = set((folders[-1] / "unseen.txt").read_text(encoding="utf-8").split())
    labelled = ws.labelled(level, [frame for frame in frames.ids if frame in unseen])
    return _placed(frames, labelled, _errors(ws, folders[-1], labelled))


def _source(ws: Workspace, index: int, frames: Frames) -> ErrorSource:
    """Return the error source of a round, about the model of the round before."""
    previous, accurate = ws.campaign.folder.round(index - 1), ws.campaign.accurate
    match ws.campaign.rules.error:
        case "cheap":
            return Cheap(cheap_errors(ws, frames, previous))
        case "committee":
            return Committee(
                disagreement(ws.campaign.load_model(previous / "model"), frames, accurate.forces)
            )
        case "latent":
            model = ws.campaign.load_model(previous / "model")
            trained = ws.labelled(accurate, mixture(ws, index - 1).accurate)
            return Latent(latent(model, frames), latent(model, trained))
        case "probe":
            return Probe()
    return Reference()


def _errors(ws: Workspace, model: Path, labelled: Frames) -> FloatArray:
    """Return the error of a saved model on each of some labelled frames, (k,)."""
    if len(labelled) == 0:
        return np.empty(0)
    return frame_errors(ws.campaign.load_model(model), labelled, ws.campaign.accurate.forces)


def _placed(frames: Frames, some: Frames, values: FloatArray) -> FloatArray:
    """Return (n,) values at the rows of some of the frames, NaN elsewhere."""
    out = np.full(len(frames), np.nan)
    out[frames.rows(some.ids)] = values
    return out
