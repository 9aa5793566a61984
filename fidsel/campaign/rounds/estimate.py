"""What a campaign knows of its model's errors: labels bought to measure them, and what the model tells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.campaign.records.round import Pick
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.models import ForceField, load
from fidsel.selector import Evidence, mean_latent, score
from fidsel.selector.pool import Covariance
from fidsel.training.evaluate import frame_errors


def measured_errors(ws: Workspace, index: int, frames: Frames, wanted: Sequence[str]) -> FloatArray:
    """Buy accurate labels of some frames and return the error (n,) of the last round's model on them.

    NaN for all other frames, and where no label could be had.
    """
    if not wanted:
        return np.full(len(frames), np.nan)
    accurate = ws.campaign.accurate
    ws.buy(accurate, wanted, "probe")
    labelled = ws.labelled(accurate, wanted)
    return _placed(frames, labelled, _errors(ws, _previous(ws, index) / "model", labelled))


def evidence(ws: Workspace, index: int, frames: Frames) -> Evidence:
    """Return what the model of the round before, and its surrogates, tell of some frames."""
    accurate, folder = ws.campaign.accurate, _previous(ws, index)

    def members() -> FloatArray:
        return disagreement(ws.campaign.load_model(folder / "model"), frames, accurate.forces)

    def features() -> tuple[FloatArray, FloatArray]:
        model = ws.campaign.load_model(folder / "model")
        trained = ws.labelled(accurate, ws.journal.training_ids(index - 1).accurate)
        return latent(model, frames), latent(model, trained)

    def kernel() -> Covariance:
        return covariance(ws.campaign.load_model(folder / "model"), frames)

    return Evidence(lambda: cheap_errors(ws, frames, folder), members, features, kernel)


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
    truth = _errors(ws, _previous(ws, index) / "model", labelled)
    guess = np.array([estimates[frame] for frame in labelled.ids])
    limits = None if bounds is None else np.array([bounds[frame] for frame in labelled.ids])
    return score(guess, truth, np.array([cluster[frame] for frame in labelled.ids]), limits).to_dict()


def disagreement(model: ForceField, frames: Frames, forces: bool) -> FloatArray:
    """Return (n,) how far the members of a committee disagree: eV/Å of forces, or eV of energies."""
    found = model.disagreement(frames)
    return found.frame_forces if forces else found.energy


def latent(model: ForceField, frames: Frames) -> FloatArray:
    """Return (n, d) latent features of each frame, those of the model's networks side by side."""
    return mean_latent(model.latent(frames), frames)


def covariance(model: ForceField, frames: Frames) -> Covariance:
    """Return what takes rows of some frames and gives the covariance of their forces, eV²/Å²."""
    return lambda rows: model.covariance(frames[rows])


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


def _previous(ws: Workspace, index: int) -> Path:
    return ws.campaign.folder.round(index - 1)


def _errors(ws: Workspace, model: Path, labelled: Frames) -> FloatArray:
    """Return the error of a saved model on each of some labelled frames, (k,)."""
    if len(labelled) == 0:
        return np.empty(0)
    return frame_errors(ws.campaign.load_model(model), labelled)


def _placed(frames: Frames, some: Frames, values: FloatArray) -> FloatArray:
    """Return (n,) values at the rows of some of the frames, NaN elsewhere."""
    out = np.full(len(frames), np.nan)
    out[frames.rows(some.ids)] = values
    return out
