"""How far test systems are from what a model was trained on: from what a person named to values."""

from pathlib import Path

from fidsel.config.models import Device
from fidsel.config.strict import Strict
from fidsel.data import Frames
from fidsel.data.label_file import LabelFile, Labels
from fidsel.exceptions import UsageError
from fidsel.models import ForceField
from fidsel.refine import Shift, shift
from fidsel.tasks.model_files import load_folder


class ShiftConfig(Strict):
    """Settings of `fidsel shift`."""

    device: Device = "auto"
    """Where the model predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""


def shift_files(
    model: ForceField | Path | str, tests: Labels, *, train: Labels | None = None, device: str = "auto"
) -> Shift:
    """Return how far the systems of a file are from the training frames of a model, see `refine.shift`.

    Parameters
    ----------
    model : a force field, or the folder of one, of a round or of a campaign.
    tests : frames; labels are not needed.
    train : training frames; None = those that the model keeps itself, as kernel models do.
    device : where a model in a folder predicts.

    Raises
    ------
    UsageError
        where files cannot be read, and without training frames.
    """
    made = model if isinstance(model, ForceField) else load_folder(model, device)
    frames = LabelFile.of(tests).read("accurate", labelled=False)
    return shift(made, frames, trained_on(made, train))


def trained_on(model: ForceField, train: Labels | None) -> Frames:
    """Return the training frames of a model: those that are named, or that it keeps.

    Raises
    ------
    UsageError
        where there are none.
    """
    named = None if train is None else LabelFile.of(train).read("accurate", labelled=False)
    if (known := model.training_frames if named is None else named) is None:
        raise UsageError(
            f"a {model.kind} model does not keep the frames it was trained on: name their files by --train"
        )
    return known
