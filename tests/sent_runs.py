"""What a tracking store holds of a campaign, and whether that is all its rounds say, once."""

from collections.abc import Sequence

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from fidsel.campaign import Round

ERROR = "force MAE meV per Å"


class Sent:
    """What a tracking store holds of the small campaign."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        experiment = client.get_experiment_by_name("water")
        assert experiment is not None
        self.runs = list(client.search_runs([experiment.experiment_id], max_results=1000))
        (self.parent,), (self.control,) = self.of_kind("campaign"), self.of_kind("control arm")
        self.rounds = sorted(self.of_kind("round"), key=lambda run: int(run.data.tags["fidsel.round"]))

    def of_kind(self, kind: str) -> list[Run]:
        return [run for run in self.runs if run.data.tags["fidsel.kind"] == kind]

    def children(self, parent: Run) -> list[Run]:
        return [r for r in self.runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]

    def history(self, run: Run, name: str) -> list[tuple[int, float]]:
        return sorted((m.step, m.value) for m in self.client.get_metric_history(run.info.run_id, name))


def check_whole(sent: Sent, rounds: Sequence[Round]) -> None:
    """Everything the rounds say is there, once."""
    assert [r.data.tags["fidsel.round"] for r in sent.rounds] == [str(r.index) for r in rounds]
    assert {run.info.status for run in sent.rounds + sent.of_kind("stage")} == {"FINISHED"}
    assert len(sent.children(sent.parent)) == len(rounds)
    assert len(sent.of_kind("stage")) == sum(len(r.training["histories"]) for r in rounds)
    for run, record in zip(sent.rounds, rounds, strict=True):
        assert len(sent.children(run)) == len(record.training["histories"])
        energy = record.metrics.energy_mae
        assert run.data.metrics["test/energy MAE meV"] == pytest.approx(1000 * (energy or 0), rel=1e-4)
    steps = [record.index for record in rounds]
    ours = [1000 * (r.metrics.force_mae or 0) for r in rounds]
    random = [1000 * r.control.error for r in rounds if r.control is not None]
    for run, errors in ((sent.parent, ours), (sent.control, random)):
        spent = [record.spent for record in rounds]
        for name, values in ((ERROR, errors), ("spent", spent)):
            found = sent.history(run, name)
            assert [step for step, _ in found] == steps
            assert [value for _, value in found] == pytest.approx(values, rel=1e-4)
