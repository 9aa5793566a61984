"""Where a model is wrong on files of labels: from what a person named to models, frames and sides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from pydantic import PositiveInt

from fidsel.arrays import IntArray, counted
from fidsel.campaign.settings import DescriptorName, Reporter, silent
from fidsel.data.atomic import replacing, require_ending
from fidsel.data.label_file import LabelFile, Labels, Say, logged, require_one_level
from fidsel.data.lookup import Lookup
from fidsel.data.seed import checked_seed
from fidsel.data.units import Units
from fidsel.exceptions import UsageError
from fidsel.md.sampling.pool import join
from fidsel.models import ForceField
from fidsel.refine import ErrorShift, error_shift
from fidsel.report import Report
from fidsel.selector.clusters.broad import ENERGY, GEOMETRY
from fidsel.tasks.evaluate import EvaluateConfig
from fidsel.tasks.model_files import open_model, require_units_used, untold
from fidsel.tasks.outlier_map import TRAIN, Outliers, find_outliers, sides_of
from fidsel.tasks.select import features
from fidsel.tasks.shift import trained_on

NPZ = "a file of errors"
"""What `Found.save` writes."""


class OutlierConfig(EvaluateConfig):
    """Settings of `fidsel outliers`."""

    descriptor: DescriptorName = "pair-distances"
    """Descriptor of a frame."""
    clusters: PositiveInt = GEOMETRY
    """Broad clusters by geometry."""
    energy_clusters: PositiveInt = ENERGY
    """Energy clusters inside each."""


@dataclass(frozen=True, eq=False, repr=False)
class Found:
    """Outliers, where their frames stand, and what a person should know of them.

    Parameters
    ----------
    outliers : of the frames of both files, those of the data first.
    places : (n,) row of each frame in its file.
    data : how many frames are of the data; the others are of the file of held-out ones.
    shift : errors against the distance from training; None = not asked for.
    """

    outliers: Outliers
    notes: tuple[str, ...]
    places: IntArray
    data: int
    title: str
    shift: ErrorShift | None = None

    def __repr__(self) -> str:
        told = [
            f"{side} RMSE {1000 * errors.error('rmse'):.4g} m{self.outliers.unit} on {errors.frames} frames"
            for side, (errors, _) in self.outliers.by_side().items()
        ]
        return f"Found({self.title}: {', '.join(told)}{counted(self.notes)})"

    def _repr_html_(self) -> str:
        """Return the report in a frame, for a notebook."""
        return self.report()._repr_html_()

    def report(self) -> Report:
        """Return the report: what is unusual where the model is worst."""
        return self.outliers.report(self.title, self.notes)

    def place(self, row: int) -> tuple[str, int]:
        """Return the file, "data" or "held out", and the row in it of a frame."""
        return ("data" if row < self.data else "held out"), int(self.places[row])

    def save(self, path: Path) -> None:
        """Write file, row, side, cluster, RMSE and MAE of each frame, and their order by error, as npz."""
        require_ending(path, NPZ, ".npz")
        found = self.outliers
        files = np.where(np.arange(len(self.places)) < self.data, "data", "held out")
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file, source=files, row=self.places, worst=found.worst(len(found.frames)),
                side=found.sides, cluster=found.clusters, error=found.errors, mae=found.maes,
                ratio=found.ratio, unit=np.array(found.unit),
            )  # fmt: skip


def require_own(path: Path | None) -> None:
    """Raise a `UsageError` for a file that holds other things than errors of frames; None = no file.

    Examples
    --------
    >>> require_own(Path("errors_of_tomorrow.npz"))
    """
    if path is None or not path.exists():
        return
    try:
        with np.load(path) as held:
            ours = {"source", "row", "worst", "side"} <= set(held.files)
    except (OSError, ValueError, BadZipFile):
        ours = False
    if not ours:
        raise UsageError(f"{path} is there and holds other things, which are kept: name another file")


def outliers(
    model: ForceField | Path | str,
    data: Labels,
    *,
    train: Labels | None = None,
    held_out: Labels | None = None,
    units: str | Units | None = None,
    calculator: Mapping[str, Any] | None = None,
    device: str = "auto",
    descriptor: DescriptorName = "pair-distances",
    clusters: int = GEOMETRY,
    energy_clusters: int = ENERGY,
    shift: bool = False,
    seed: int = 0,
    report: Reporter = silent,
    say: Say = logged,
) -> Found:
    """Return where a model is wrong: clusters of labelled frames, and frames that stand out of theirs.

    Parameters
    ----------
    model : a force field, or what names one; see `fidsel.tasks.model_files.open_model`.
    data : labels.
    train : frames the model was trained on, beside those it keeps itself, as kernel models do.
    held_out : labels shown apart from the others.
    units : "energy,length" of files of labels and of predictions, in place of what they state.
    calculator : parameters of an ASE calculator, where the model is one.
    device : where a model in a folder predicts.
    descriptor : of a frame.
    clusters, energy_clusters : broad clusters by geometry, and energy clusters inside each.
    shift : compare errors with how far frames are from training, too; see `fidsel.refine.shift`.
    seed : decides every draw.
    report : hears how far a calculator has come.
    say : hears what is odd about labels, and whether the training frames are known; by default the log.

    Raises
    ------
    UsageError
        where labels cannot be read or are of several levels, the model cannot predict them, all of them
        were trained on, or a shift is asked for and no training frames are known.

    Examples
    --------
    >>> from fidsel.testing import example_frames
    >>> found = outliers("ase:emt", example_frames(20), clusters=2, energy_clusters=1)
    >>> len(found.outliers.described), len(found.outliers.worst(3))
    (2, 3)
    """
    seed = checked_seed(seed)
    labels, named = LabelFile.of(data, units), None if train is None else LabelFile.of(train, units)
    apart = None if held_out is None else LabelFile.of(held_out, units)
    require_units_used(units, model, labels, named, apart)
    frames = labels.read("accurate")
    odd = labels.oddities(frames)
    own, places, held = len(frames), np.arange(len(frames)), None
    if apart is not None:
        held = apart.read(str(frames.level[0]))
        odd += apart.oddities(held)
        new = np.flatnonzero(Lookup(frames).find(held) < 0)
        frames = frames + held[new]
        places = np.concatenate([places, new])
    require_one_level(frames, labels.name if apart is None else f"{labels.name} and {apart.name}")
    made = open_model(
        model,
        frames,
        units=units,
        state=labels.state,
        calculator=calculator,
        device=device,
        report=report,
    )
    given = [] if named is None else [named.read("accurate", labelled=False).unlabelled()]
    trained = [kept for kept in (made.training_frames, *given) if kept is not None]
    if shift and not trained:
        trained_on(made, None)
    found = find_outliers(
        made,
        frames,
        features(descriptor, frames, made),
        sides_of(frames, join(trained) if trained else None, held),
        clusters=clusters,
        energy_clusters=energy_clusters,
        seed=seed,
    )
    blind = untold(model, made, labels, named)
    for text in (*blind, *odd):
        say(text)
    notes = (*blind, *_notes(found), *odd)
    beside = None
    if shift:
        rows = np.flatnonzero(found.sides != TRAIN)
        beside = error_shift(made, frames, found.errors, rows, join(trained), found.unit)
    return Found(found, notes, places, own, f"{model} on {labels.text}", beside)


def _notes(found: Outliers) -> Sequence[str]:
    notes, total = [], len(found.frames)
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
        if found.constant is not None:
            notes.append(
                f"predicted energies lie a constant of {found.constant:+.6g} eV per frame off the labels, "
                "which is taken out of the errors: their zeros differ, as those of two programs do"
            )
    return notes
