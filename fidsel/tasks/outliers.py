"""Where a model is wrong on files of labels: from what a person named to models, frames and sides."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, PositiveInt

from fidsel.arrays import IntArray
from fidsel.campaign.settings import Reporter, silent
from fidsel.config.load import check_config
from fidsel.config.models import Device
from fidsel.config.selectors import DescriptorName
from fidsel.config.strict import Strict
from fidsel.data import Frames
from fidsel.data.atomic import replacing
from fidsel.data.label_file import LabelFile
from fidsel.data.lookup import Lookup
from fidsel.data.seed import checked_seed
from fidsel.tasks.model_files import ASE, open_model
from fidsel.tasks.outlier_map import TRAIN, Outliers, find_outliers, sides_of, training_frames
from fidsel.tasks.select import features


class OutlierConfig(Strict):
    """Settings of `fidsel outliers`."""

    calculator: dict[str, Any] = Field(default_factory=dict)
    """Parameters of an ASE calculator, where the model is one."""
    device: Device = "auto"
    """Where a model of fidsel's predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""
    descriptor: DescriptorName = "pair-distances"
    """Descriptor of a frame."""
    clusters: PositiveInt = 10
    """Broad clusters by geometry."""
    energy_clusters: PositiveInt = 5
    """Energy clusters inside each."""


@dataclass(frozen=True)
class OutlierRequest:
    """What a person asks `fidsel outliers` for.

    Parameters
    ----------
    model : a folder with a saved model, a file of predictions (FILE or FILE:ENERGY_KEY:FORCES_KEY), or
        `ase:NAME` for a calculator.
    data : labels.
    train : the frames the model was trained on; None = those it keeps itself, as kernel models do.
    held_out : frames shown apart from the others.
    units : of the file of predictions.
    overrides : settings of `OutlierConfig`.
    seed : decides every draw.
    """

    model: str
    data: LabelFile
    train: LabelFile | None = None
    held_out: LabelFile | None = None
    units: str | None = None
    overrides: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        checked_seed(self.seed)


@dataclass(frozen=True, eq=False)
class Found:
    """Outliers, where their frames stand, and what a person should know of them.

    Parameters
    ----------
    outliers : of the frames of both files, those of the data first.
    notes : what a person should know.
    places : (n,) row of each frame in its file.
    data : how many frames are of the data; the others are of the file of held-out ones.
    """

    outliers: Outliers
    notes: tuple[str, ...]
    places: IntArray
    data: int

    def place(self, row: int) -> tuple[str, int]:
        """Return the file, "data" or "held out", and the row in it of a frame."""
        return ("data" if row < self.data else "held out"), int(self.places[row])

    def save(self, path: Path) -> None:
        """Write file, row, side, cluster, RMSE and MAE of each frame, and their order by error, as npz."""
        found = self.outliers
        files = np.where(np.arange(len(self.places)) < self.data, "data", "held out")
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file, source=files, row=self.places, worst=found.worst(len(found.frames)),
                side=found.sides, cluster=found.clusters, error=found.errors, mae=found.maes,
                ratio=found.ratio, unit=np.array(found.unit),
            )  # fmt: skip


def outliers_of_files(request: OutlierRequest, report: Reporter = silent) -> Found:
    """Return where a model is wrong.

    Parameters
    ----------
    request : what a person asked for.
    report : hears how far a calculator has come.

    Raises
    ------
    UsageError
        where a file cannot be read, the model cannot predict its frames, or all of them were trained on.
    """
    config = check_config(OutlierConfig, {}, request.overrides, "the command line")
    frames = request.data.read("accurate")
    odd = request.data.oddities(frames)
    held = request.held_out.read("accurate") if request.held_out else None
    if held is not None and request.held_out is not None:
        odd += request.held_out.oddities(held)
    data, places = len(frames), np.arange(len(frames))
    if held is not None:
        new = np.flatnonzero(Lookup(frames).find(held) < 0)
        frames = frames + held[new].replace(level=frames.level[0])
        places = np.concatenate([places, new])
    model = open_model(
        request.model,
        frames,
        unit_text=request.units,
        state=request.data.state,
        calculator=config.calculator,
        device=config.device,
        report=report,
    )
    kept = training_frames(model)
    named = request.train.read("accurate", labelled=False) if request.train else None
    train = named if kept is None else kept if named is None else kept + named.unlabelled()
    found = find_outliers(
        model,
        frames,
        features(config.descriptor, frames, model),
        sides_of(frames, train, held),
        clusters=config.clusters,
        energy_clusters=config.energy_clusters,
        seed=request.seed,
    )
    return Found(found, (*_notes(request, train, found), *odd), places, data)


def _notes(request: OutlierRequest, train: Frames | None, found: Outliers) -> Sequence[str]:
    notes, total = [], len(found.frames)
    if train is None and not request.model.startswith(ASE):
        notes.append(
            f"{request.model} does not tell what it was trained on: training frames in {request.data.text} "
            "count as unseen; name them by --train"
        )
    if trained := len(found.rows(TRAIN)):
        notes.append(f"{trained} of {total} frames are left out: the model was trained on them")
    if lost := int((np.isnan(found.errors) & (found.sides != TRAIN)).sum()):
        notes.append(
            f"{lost} of {total} frames are left out: they have no label; with labels they would count too"
        )
    if found.unit == "eV":
        notes.append(
            "no frame has forces: errors are of energies, in eV per frame; where the file has "
            "some, name them as FILE:ENERGY_KEY:FORCES_KEY"
        )
    return notes
