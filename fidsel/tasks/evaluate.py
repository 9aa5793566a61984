"""The errors of a model on a file of labels: from what a person named to models, frames and errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from fidsel.arrays import counted, html_table
from fidsel.campaign.settings import Reporter, silent
from fidsel.config.models import Device
from fidsel.config.strict import Strict
from fidsel.data import Frames
from fidsel.data.label_file import LabelFile, Labels, Say, logged, require_one_level
from fidsel.data.units import Units
from fidsel.exceptions import UsageError
from fidsel.models import ForceField
from fidsel.tasks.model_files import open_model, require_units_used, untold
from fidsel.tasks.outlier_map import TRAIN, sides_of
from fidsel.training import evaluation
from fidsel.training.evaluation import Evaluation


class EvaluateConfig(Strict):
    """Settings of `fidsel evaluate`."""

    calculator: dict[str, Any] = Field(default_factory=dict)
    """Parameters of an ASE calculator, where the model is one."""
    device: Device = "auto"
    """Where a model of fidsel's predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""


@dataclass(frozen=True, eq=False, repr=False)
class Evaluated:
    """Errors of a model on a file, and what a person should know of them.

    Parameters
    ----------
    trained : frames left out because the model was trained on them.
    """

    evaluation: Evaluation
    trained: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{repr(self.evaluation).removesuffix(')')}{counted(self.notes)})"

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        whole = self.evaluation.whole
        kinds = {
            "forces, meV/Å": whole.forces,
            "energy, meV": whole.energy,
            "energy, constant taken out, meV": whole.aligned,
        }
        rows = [(name, 1000 * one.mae, 1000 * one.rmse, one.number) for name, one in kinds.items() if one]
        return html_table(
            f"errors on {whole.frames} frames", ("errors", "MAE", "RMSE", "numbers"), rows, self.notes
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: energies in eV, forces in eV/Å."""
        found = self.evaluation.to_dict()
        return found | {"training_frames_left_out": self.trained, "notes": list(self.notes)}


def evaluate(
    model: ForceField | Path | str,
    data: Labels,
    *,
    train: Labels | None = None,
    units: str | Units | None = None,
    calculator: Mapping[str, Any] | None = None,
    device: str = "auto",
    report: Reporter = silent,
    say: Say = logged,
) -> Evaluated:
    """Return the errors of a model on labels it was not trained on.

    Parameters
    ----------
    model : a force field, or what names one; see `fidsel.tasks.model_files.open_model`.
    data : labels.
    train : frames the model was trained on, left out; None = those it keeps itself, as kernel models do.
    units : "energy,length" of files of labels and of predictions, in place of what they state.
    calculator : parameters of an ASE calculator, where the model is one.
    device : where a model in a folder predicts.
    report : hears how far a calculator has come.
    say : hears what is odd about labels, and whether the training frames are known; by default the log.

    Raises
    ------
    UsageError
        where labels cannot be read or are of several levels, the model cannot predict them, or all of them
        were trained on.

    Examples
    --------
    >>> from fidsel.testing import example_frames
    >>> found = evaluate("ase:emt", example_frames(20))
    >>> found.evaluation.whole.frames, sorted(found.evaluation.by_element)
    (20, ['H', 'O'])
    """
    labels, named = LabelFile.of(data, units), None if train is None else LabelFile.of(train, units)
    require_units_used(units, model, labels, named)
    every = labels.read("accurate")
    require_one_level(every, labels.name)
    odd = labels.oddities(every)
    left = None if named is None else named.read("accurate", labelled=False)
    # the frames that are asked of a calculator or a file of predictions are those that count
    seen = every if left is None else every[sides_of(every, left, None) != TRAIN]
    _require_unseen(seen, model, labels)
    made = open_model(
        model,
        seen,
        units=units,
        state=labels.state,
        calculator=calculator,
        device=device,
        report=report,
    )
    kept = made.training_frames
    seen = seen if kept is None else seen[sides_of(seen, kept, None) != TRAIN]
    _require_unseen(seen, model, labels)
    found, trained = evaluation.evaluate(made, seen), len(every) - len(seen)
    notes = untold(model, made, labels, named)
    for text in (*notes, *odd):
        say(text)
    if trained:
        notes = (
            f"{trained} of {len(every)} frames are left out: the model was trained on them, and what it says "
            "of them is no prediction",
        )
    return Evaluated(found, trained, (*notes, *odd, *found.notes))


def _require_unseen(frames: Frames, model: ForceField | Path | str, data: LabelFile) -> None:
    labelled = np.isfinite(frames.energy).any() or frames.has_forces.any() if len(frames) else False
    if not labelled:
        raise UsageError(
            f"errors need labelled frames that {model} was not trained on, and {data.text} has none: name "
            "another file"
        )
