"""A selection from files of frames: what is asked for, and what is done of it."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from fidsel.campaign.selection.loop import additions, select
from fidsel.campaign.selection.picks_file import PicksFile, plain_round
from fidsel.campaign.selection.report import selection_report
from fidsel.campaign.selection.settings import Selection, SelectionRound
from fidsel.campaign.selection.task import Task
from fidsel.data.label_file import LabelFile
from fidsel.data.path_name import path_name
from fidsel.models import ForceField
from fidsel.report import Report
from fidsel.tracking import SelectionTracker

LOG = logging.getLogger("fidsel.select")


@dataclass(frozen=True)
class Request:
    """What a person asks `fidsel select` for.

    Parameters
    ----------
    pool : frames, with labels as far as there are any.
    model, picker : their kinds.
    error : where errors of candidates come from; None = "reference", for which all must have labels.
    cheap : cheap labels of the same configurations, for `error` = "cheap".
    overrides : `model.key=value`, `selector.key=value` and `stage.key=value` settings.
    selection : the numbers.
    control : whether a control arm trains on random frames, as many.
    out : file of the picks.
    track : MLflow tracking URI that rounds are logged to; None = they are not.
    baseline : what lies beneath the model, see `named_baseline`; None = as `overrides` say.
    root : folder that paths in the settings start at.
    """

    pool: LabelFile
    model: str
    picker: str
    error: str | None
    cheap: LabelFile | None
    overrides: tuple[str, ...]
    selection: Selection
    control: bool
    out: Path
    track: str | None = None
    baseline: str | None = None
    root: Path = Path()

    @property
    def name(self) -> str:
        """What the file or folder of frames is called."""
        return path_name(self.pool.parts[0])


@dataclass
class FileSelection:
    """A selection from files: run it, then look at its rounds, its model and its report.

    Parameters
    ----------
    request : what was asked for.
    task : what it comes to.
    settings : what makes it this selection, see `settings`.
    odd : what is worth knowing about the labels, as sentences.
    arm : the control arm, None where there is none.
    rounds, control : of the selection and of its control arm, as far as they are done.
    """

    request: Request
    task: Task
    settings: Mapping[str, Any]
    odd: tuple[str, ...]
    arm: Task | None
    rounds: list[SelectionRound]
    control: list[SelectionRound]

    def run(self) -> Iterator[SelectionRound]:
        """Yield the rounds that are not done yet; each is in the file before it is yielded."""
        for found in select(self.task, self.rounds):
            self.rounds = [*(replace(one, stop=None) for one in self.rounds[: found.index]), found]
            self._follow()
            self.save()
            self._track()
            yield found
        if len(self.control) < len(self.rounds):
            self._follow()
            self.save()
        self._track()  # what could not be sent before, also of a finished selection

    def _follow(self) -> None:
        """Let the control arm catch up."""
        if self.arm is not None and self.rounds[-1].held_out is not None:
            arm = select(self.arm, self.control)
            missing = len(self.rounds) - len(self.control)
            self.control = [*(replace(one, stop=None) for one in self.control), *islice(arm, missing)]

    def _track(self) -> None:
        """Log the rounds to MLflow; where that fails, say so and go on."""
        if self.request.track is None:
            return
        name = Path(self.request.name).stem
        title = f"{self.request.picker} picks for {self.request.model}"
        tracker = SelectionTracker(self.request.track, name, title, self.settings)
        if trouble := tracker.sync(self.rounds, self.control):
            LOG.warning(trouble)

    def document(self) -> dict[str, Any]:
        """Return what was selected as plain values."""
        return {
            "picks": str(self.request.out),
            "task": dict(self.settings),
            "unit": self.task.unit,
            "held_out": len(self.task.division.held_out),
            "pool": len(self.task.division.pool),
            "stop": str(self.rounds[-1].stop or "") if self.rounds else "",
            "rounds": [plain_round(one) for one in self.rounds],
            "control": [plain_round(one) for one in self.control],
        }

    def __repr__(self) -> str:
        told = "no round yet"
        if self.rounds:
            last = self.rounds[-1]
            told = f"{len(self.rounds)} rounds, {last.labels} labels; {last.stop or 'not finished'}"
        return f"FileSelection({self.request.pool.text}: {told})"

    def _repr_html_(self) -> str:
        """Return the report in a frame, for a notebook."""
        return self.report()._repr_html_()

    def report(self) -> Report:
        """Return the report of what is done."""
        title = f"Selection from {self.request.name}"
        return selection_report(self.task, self.rounds, self.control, title, f"{self.request.picker} picks")

    def save(self) -> None:
        """Write what is done into the file of picks."""
        kept = PicksFile(self.settings, self.task.division, tuple(self.rounds), tuple(self.control))
        kept.save(self.request.out)

    def model(self) -> ForceField:
        """Return the model of the last round that was measured."""
        measured = [one for one in self.rounds if one.held_out is not None]
        return self.task.learn(additions(self.task, measured)).model
