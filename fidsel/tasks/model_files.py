"""From what a person named to a model that predicts: a folder, a file of predictions, a calculator."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.campaign.records.best import best_round
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.settings import Reporter, silent
from fidsel.config.build import open_finished
from fidsel.config.load import FILE
from fidsel.data import Frames
from fidsel.data.label_file import LabelFile
from fidsel.data.reading import AS_NAMED
from fidsel.data.state import State
from fidsel.data.units import Units, parse_units
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.source import LabelError
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.models import ForceField, Predictions, load
from fidsel.models.files import JSON

ASE = "ase:"
"""What the name of an ASE calculator begins with, where a model may be one."""
ANOTHER = "name another --out, or give --force (force=True in Python)"
"""What to do where the folder of a new model holds one."""


def require_no_model(folder: Path, remedy: str) -> None:
    """Raise a `UsageError` where a folder holds a model, which another would replace.

    Parameters
    ----------
    remedy : what a person may do.
    """
    if (folder / JSON).exists():
        raise UsageError(f"{folder} holds a model already, which is kept: {remedy}")


def open_model(
    name: ForceField | Path | str,
    frames: Frames,
    *,
    units: str | Units | None = None,
    state: State = AS_NAMED,
    calculator: Mapping[str, Any] | None = None,  # Any: parameters of its class
    device: str = "auto",
    report: Reporter = silent,
) -> ForceField:
    """Return the model that a person named, able to predict some frames.

    Raises a `UsageError` where there is no such model, or a file holds the labels of the frames in place of
    predictions, and a `FidselError` where a calculator fails for a frame.

    Parameters
    ----------
    name : a force field, a folder with a saved model, the folder of a round or of a campaign (its best
        round), a file of predictions (FILE or FILE:ENERGY_KEY:FORCES_KEY), or `ase:NAME` for a calculator.
    frames : to be predicted; a calculator computes them here.
    units : "energy,length" of a file of predictions.
    state : charge and spin of its frames, where it names none.
    device : where a model of fidsel's predicts.
    """
    if isinstance(name, ForceField):
        return name
    if not isinstance(name, (str, Path)):
        raise UsageError(
            "a model is a force field of fidsel's (fidsel.load), a folder or file of one, or 'ase:NAME' with "
            f"the parameters of an ASE calculator as calculator={{...}}, got {name!r}"
        )
    name = str(name)
    if name.startswith(ASE):
        return _computed(CalculatorSource(name.removeprefix(ASE), calculator or {}), name, frames, report)
    if Path(name).is_dir():
        return load_folder(name, device)
    if not _is_file(name):
        raise UsageError(
            "a model is a folder that fidsel wrote, a file of predictions, or ase:NAME for a calculator; "
            f"there is no {name!r}"
        )
    path, energy, forces = LabelFile(name).parts
    found = Predictions.read(
        path, units=parse_units(units), energy_key=energy, forces_key=forces, state=state
    )
    found.require_other_than(frames, name)
    return found


def load_folder(folder: Path | str, device: str = "cpu") -> ForceField:
    """Return the model of a folder, of a round's folder, or of the best round of a campaign's folder.

    A Δ-model inside a campaign computes its cheap level as the campaign does. Raises a `UsageError` where
    there is none.

    Parameters
    ----------
    device : where it computes, see `fidsel.models.load`.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.models import PaiNN
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_folder(PaiNN(features=8, layers=1).save(f"{folder}/model")).kind
    'painn'
    """
    folder = Path(folder)
    if (folder / FILE).exists() and not (folder / JSON).exists():
        home = CampaignFolder(folder)
        best = best_round(home.read_rounds())
        if best is None:
            raise UsageError(
                f"no round of {folder} is finished, so it has no model yet: run `fidsel iterate`"
            )
        folder = home.round(best.index) / "model"
    elif not (folder / JSON).exists() and (folder / "model" / JSON).exists():
        folder /= "model"
    home_of = next((parent for parent in folder.resolve().parents[:3] if (parent / FILE).exists()), None)
    if home_of is None:
        return load(folder, device)
    # the campaign makes classes of the user's own known, and has the cheap level of a Δ-model
    campaign = open_finished(home_of)
    return replace(campaign, device=device).load_model(folder)


def require_units_used(units: str | Units | None, model: object, *labels: LabelFile | None) -> None:
    """Raise a `UsageError` where units are given, and nothing is read from a file that they could be of."""
    read = [one is not None and one.frames is None for one in labels]
    if units is None or any(read) or (isinstance(model, (str, Path)) and _is_file(str(model))):
        return
    raise UsageError(
        f"units ({units}) are those of files, and frames are in eV and Å: leave them out, or give the path "
        "of the labels"
    )


def untold(
    name: ForceField | Path | str, model: ForceField, data: LabelFile, train: LabelFile | None
) -> tuple[str, ...]:
    """Return a sentence where nobody says what a model was trained on; a calculator was on nothing."""
    if train is not None or model.training_frames is not None or str(name).startswith(ASE):
        return ()
    return (
        f"{name} does not tell what it was trained on: training frames in {data.text} count as unseen; name "
        "them by --train, train=FRAMES in Python",
    )


def _is_file(name: str) -> bool:
    """Return whether the name of a model is that of a file, of predictions."""
    return "." in Path(name).name and LabelFile(name).parts[0].is_file()


def _computed(source: CalculatorSource, name: str, frames: Frames, report: Reporter) -> ForceField:
    """Return what a calculator says of some frames."""
    energy, forces = np.empty(len(frames)), np.empty_like(frames.positions)
    for i in range(len(frames)):
        report("computing", i, len(frames))
        try:
            label = source.label(frames[i])
        except LabelError as error:
            raise FidselError(
                f"{name} could not compute frame {i} ({frames.formulas[i]}): {error}. Set its parameters by "
                "calculator.KEY=VALUE, or leave such frames out of the file"
            ) from error
        energy[i] = label.energy
        forces[frames.offsets[i] : frames.offsets[i + 1]] = np.asarray(label.forces)
    report("computing", len(frames), len(frames))
    return Predictions(frames.replace(energy=energy, forces=forces))
