"""Runs of MLflow: a round arrives once and whole, and what fails is one line."""

import shutil
from pathlib import Path

from mlflow import MlflowClient

from fidsel.tracking.entries import Point
from fidsel.tracking.runs import Arm, Entry, Stage, Story, send_rounds

WHAT = Arm("abc", "water", {"picker": "random"}, {"seed": "0"})
STORY = Story("**Two rounds**", {"saved": "+31 %"})
CONTROL = Arm("abc", "random labels", {"labels": "9 pbe"}, kind="control arm")
HOUR = 3_600_000


def entry(index: int) -> Entry:
    points = (Point("error", 0.5 / (index + 1), index), Point("spent", float(index), index))
    stage = Stage("train", (Point("loss", 1.0, 0),), {"steps": "9"})
    control = tuple(Point(point.name, 2 * point.value, index) for point in points)
    began, ended = HOUR * (index + 1), HOUR * (index + 1) + HOUR // 2
    return Entry(index, points, {"picks": "5"}, (stage,), control, began=began, ended=ended)


def test_rounds_are_sent_once_and_one_that_was_cut_off_again(empty_mlflow: Path, tmp_path: Path) -> None:
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment(client.create_experiment("water"))

    def runs(kind: str) -> dict[str, str]:
        """Return the state of each run of a kind, by its number."""
        found = client.search_runs([experiment.experiment_id], f"tags.`fidsel.kind` = '{kind}'")
        return {run.info.run_id: run.info.status for run in found}

    send_rounds(client, experiment, WHAT, [entry(0), entry(1)], STORY, control=CONTROL, ended=False)
    (parent,), first = runs("campaign"), runs("round")
    assert set(first.values()) == {"FINISHED"}
    assert runs("campaign") == {parent: "RUNNING"}
    client.update_run(next(iter(first)), status="RUNNING")
    send_rounds(client, experiment, WHAT, [entry(0), entry(1)], STORY, control=CONTROL, ended=True)
    again = runs("round")
    assert len(again) == len(runs("stage")) == 2
    assert len(again.keys() & first.keys()) == 1
    assert runs("campaign") == {parent: "FINISHED"}
    history = client.get_metric_history(parent, "error")
    assert sorted((m.step, m.value) for m in history) == [(0, 0.5), (1, 0.25)]
    send_rounds(client, experiment, WHAT, [entry(0), entry(1)], STORY, control=CONTROL, ended=True)
    assert runs("round") == again


def test_the_control_arm_is_a_run_of_its_own_and_times_are_those_of_the_rounds(
    empty_mlflow: Path, tmp_path: Path
) -> None:
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment(client.create_experiment("water"))
    send_rounds(client, experiment, WHAT, [entry(0)], STORY, control=CONTROL, ended=False)
    send_rounds(client, experiment, WHAT, [entry(0), entry(1)], STORY, control=CONTROL, ended=True)
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    ours, control, later = runs["water"], runs["random labels"], runs["round 1"]
    assert {run.data.tags["arm"] for run in (ours, control)} == {"campaign", "control arm"}
    assert "mlflow.parentRunId" not in control.data.tags
    assert (ours.data.metrics["error"], control.data.metrics["error"]) == (0.25, 0.5)
    assert [m.step for m in client.get_metric_history(control.info.run_id, "spent")] == [0, 1]
    assert ours.data.tags["mlflow.note.content"] == "**Two rounds**"
    assert (ours.data.tags["saved"], control.data.tags["labels"]) == ("+31 %", "9 pbe")
    for run in (ours, control):
        assert (run.info.start_time, run.info.end_time, run.info.status) == (HOUR, 5 * HOUR // 2, "FINISHED")
    assert (later.info.start_time, later.info.end_time) == (2 * HOUR, 5 * HOUR // 2)
