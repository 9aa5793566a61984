"""`SelectionTracker`: one MLflow run per selection from a file, a child per round."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from fidsel.campaign.selection.settings import SelectionRound
from fidsel.tracking.entries import parameters, selection_points
from fidsel.tracking.runs import Entry, Tracked, send_rounds, tried


@dataclass(frozen=True)
class SelectionTracker:
    """Sends the rounds of a selection to MLflow, in runs like those of a campaign.

    The parent run holds the settings and every metric of every round, against the round's number and
    (`vs_spent/`) against the labels spent by then; a round's run what it picked and why it was the last.

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
        measured = [one for one in rounds if one.held_out is not None]
        arm = {one.index: one for one in control}
        entries = [
            Entry(one.index, selection_points(one, arm.get(one.index)), _said(one)) for one in measured
        ]
        if not entries:
            return None
        last = rounds[-1].stop
        ended = last is not None and not last.why.waiting

        def send() -> None:
            from mlflow import MlflowClient

            client = MlflowClient(tracking_uri=self.uri)
            found = client.get_experiment_by_name(self.experiment)
            experiment = found or client.get_experiment(client.create_experiment(self.experiment))
            send_rounds(client, experiment, self._tracked(), entries, ended=ended)

        trouble = tried(self.uri, send)
        return trouble and f"{trouble}; the rounds are kept and sent next time"

    def _tracked(self) -> Tracked:
        content = json.dumps(self.settings, sort_keys=True, default=str).encode()
        name = blake2b(content, digest_size=8).hexdigest()
        return Tracked(name, self.title, parameters(self.settings), kind="selection")


def _said(one: SelectionRound) -> dict[str, str]:
    """Return what the run of a round says beside its metrics."""
    rows = [pick.row for pick in one.picks]
    said = {"picks": len(rows), "rows": rows, "stop": str(one.stop or ""), "notes": "; ".join(one.notes)}
    return parameters(said)
