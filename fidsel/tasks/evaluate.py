"""The errors of a model on a file of labels: from what a person named to models, frames and errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from fidsel.campaign.settings import Reporter, silent
from fidsel.config.load import check_config
from fidsel.config.models import Device
from fidsel.config.strict import Strict
from fidsel.data import Frames
from fidsel.data.label_file import LabelFile
from fidsel.exceptions import UsageError
from fidsel.models import ForceField
from fidsel.tasks.model_files import ASE, open_model
from fidsel.tasks.outlier_map import TRAIN, sides_of, training_frames
from fidsel.training.evaluation import Evaluation, evaluate


class EvaluateConfig(Strict):
    """Settings of `fidsel evaluate`."""

    calculator: dict[str, Any] = Field(default_factory=dict)
    """Parameters of an ASE calculator, where the model is one."""
    device: Device = "auto"
    """Where a model of fidsel's predicts: "auto" (CUDA where there is any), "cpu", "cuda" or "cuda:N"."""


@dataclass(frozen=True)
class EvaluateRequest:
    """What a person asks `fidsel evaluate` for.

    Parameters
    ----------
    model : see `fidsel.tasks.model_files.open_model`.
    data : labels.
    train : the frames the model was trained on, left out; None = those it keeps itself, as kernel models do.
    units : of a file of predictions.
    overrides : settings of `EvaluateConfig`.
    """

    model: str
    data: LabelFile
    train: LabelFile | None = None
    units: str | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Errors of a model on a file, and what a person should know of them.

    Parameters
    ----------
    evaluation : labels, predictions and errors.
    trained : frames left out because the model was trained on them.
    notes : on the errors, on what was left out, and on labels that look wrong.
    """

    evaluation: Evaluation
    trained: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: energies in eV, forces in eV/Å."""
        found = self.evaluation.to_dict()
        return found | {"training_frames_left_out": self.trained, "notes": list(self.notes)}


def evaluate_files(request: EvaluateRequest, report: Reporter = silent) -> Evaluated:
    """Return the errors of a model on a file of labels.

    Parameters
    ----------
    request : what a person asked for.
    report : hears how far a calculator has come.

    Raises
    ------
    UsageError
        where a file cannot be read, the model cannot predict its frames, or all of them were trained on.

    Examples
    --------
    >>> evaluate_files(EvaluateRequest("model", LabelFile("test.extxyz"))).evaluation  # doctest: +SKIP
    Evaluation(200 frames; force MAE 6.2, RMSE 9.1 meV/Å; energy MAE 1.3, RMSE 1.7 meV)
    """
    config = check_config(EvaluateConfig, {}, request.overrides, "the command line")
    every = request.data.read("accurate")
    odd = request.data.oddities(every)
    named = request.train.read("accurate", labelled=False) if request.train else None
    # the frames that are asked of a calculator or a file of predictions are those that count
    seen = every if named is None else every[sides_of(every, named, None) != TRAIN]
    _require_unseen(seen, request)
    model = open_model(
        request.model,
        seen,
        unit_text=request.units,
        state=request.data.state,
        calculator=config.calculator,
        device=config.device,
        report=report,
    )
    kept = training_frames(model)
    seen = seen if kept is None else seen[sides_of(seen, kept, None) != TRAIN]
    _require_unseen(seen, request)
    found, trained = evaluate(model, seen), len(every) - len(seen)
    return Evaluated(found, trained, (*_notes(request, model, trained, len(every)), *odd, *found.notes))


def _require_unseen(frames: Frames, request: EvaluateRequest) -> None:
    labelled = np.isfinite(frames.energy).any() or frames.has_forces.any() if len(frames) else False
    if not labelled:
        raise UsageError(
            f"errors need labelled frames that {request.model} was not trained on, and {request.data.text} "
            "has none: name another file"
        )


def _notes(request: EvaluateRequest, model: ForceField, trained: int, total: int) -> list[str]:
    """Return what was left out, or could not be."""
    if trained:
        return [
            f"{trained} of {total} frames are left out: the model was trained on them, and what it says of "
            "them is no prediction"
        ]
    if request.train is None and not request.model.startswith(ASE) and training_frames(model) is None:
        return [
            f"{request.model} does not tell what it was trained on: training frames in {request.data.text} "
            "count as unseen; name them by --train"
        ]
    return []
