"""`SelectionTracker`: MLflow runs of a selection from a file, of its control arm and of its rounds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fidsel.campaign.selection.settings import SelectionRound
from fidsel.tracking.about import CONTROL
from fidsel.tracking.entries import parameters, selection_points
from fidsel.tracking.runs import Arm, Entry, Story, send_rounds
from fidsel.tracking.store import Store
from fidsel.tracking.view import SPENT_IN, STRATEGY, prepare_view


@dataclass(frozen=True)
class SelectionTracker:
    """Sends the rounds of a selection to MLflow, in runs like those of a campaign; labels are what is spent.

    The selection's run holds the settings and every metric of every round, that of its control arm the arm's;
    a round's run what it picked and why it was the last.

    Parameters
    ----------
    uri : tracking URI.
    experiment : name of the MLflow experiment.
    title : of the selection's run.
    settings : what makes it this selection; another one with the same settings is the same run.
    """

    uri: str
    experiment: str
    title: str
    settings: Mapping[str, Any]  # Any: plain values

    def sync(self, rounds: Sequence[SelectionRound], control: Sequence[SelectionRound] = ()) -> str | None:
        """Send the rounds that the server does not have; return why that failed, or None.

        A failure is returned, not raised, as by `Tracker.sync`. Rounds that wait for labels are made again
        once these have come, and are sent then.

        Parameters
        ----------
        rounds, control : of the selection and of its control arm.
        """
        drawn = {one.index: selection_points(one) for one in control if one.held_out is not None}
        entries = [
            Entry(one.index, selection_points(one), _said(one), control=drawn.get(one.index, ()))
            for one in rounds
            if one.held_out is not None
        ]
        if not entries:
            return None
        last = rounds[-1].stop
        ended = last is not None and not last.why.waiting
        ours, arm = self._arms()
        store = Store.of(self.uri, Path())

        def send() -> None:
            client = store.client()
            experiment = store.experiment(client, self.experiment)
            if SPENT_IN not in experiment.tags:
                client.set_experiment_tag(experiment.experiment_id, SPENT_IN, "labels")
            story = Story(tags={"labels": f"{rounds[-1].labels}"})
            random = arm if drawn else None
            send_rounds(client, experiment, ours, entries, story, control=random, ended=ended)
            prepare_view(client, experiment, "labels")

        trouble = store.tried(send)
        return trouble and f"{trouble}; the rounds are kept and sent next time"

    def _arms(self) -> tuple[Arm, Arm]:
        content = json.dumps(self.settings, sort_keys=True, default=str).encode()
        name = blake2b(content, digest_size=8).hexdigest()
        tags = {STRATEGY: self.title}
        ours = Arm(name, self.title, tags, parameters(self.settings), kind="selection")
        drawn = f"random labels · {self.title}"
        return ours, Arm(name, drawn, {STRATEGY: drawn}, kind=CONTROL)


def _said(one: SelectionRound) -> dict[str, str]:
    """Return what the run of a round says beside its metrics."""
    rows = [pick.row for pick in one.picks]
    said = {"picks": len(rows), "rows": rows, "stop": str(one.stop or ""), "notes": "; ".join(one.notes)}
    return parameters(said)
