"""Runs of MLflow: a round arrives once and whole, and what fails is one line."""

import os
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fidsel.tracking.entries import Point
from fidsel.tracking.runs import DEFAULTS, Entry, Stage, Tracked, mlflow_defaults, send_rounds, tried

WHAT = Tracked("abc", "water", {"seed": "0"})


def entry(index: int) -> Entry:
    points = (Point("error", 0.5 / (index + 1), index), Point("spent", float(index), index))
    return Entry(index, points, {"picks": "5"}, (Stage("train", (Point("loss", 1.0, 0),), {"steps": "9"}),))


def test_rounds_are_sent_once_and_one_that_was_cut_off_again(empty_mlflow: Path, tmp_path: Path) -> None:
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment(client.create_experiment("water"))

    def runs(kind: str) -> dict[str, str]:
        """Return the state of each run of a kind, by its number."""
        found = client.search_runs([experiment.experiment_id], f"tags.`fidsel.kind` = '{kind}'")
        return {run.info.run_id: run.info.status for run in found}

    send_rounds(client, experiment, WHAT, [entry(0), entry(1)], ended=False)
    (parent,), first = runs("campaign"), runs("round")
    assert set(first.values()) == {"FINISHED"}
    assert runs("campaign") == {parent: "RUNNING"}
    client.update_run(next(iter(first)), status="RUNNING")
    send_rounds(client, experiment, WHAT, [entry(0), entry(1)], ended=True)
    again = runs("round")
    assert len(again) == len(runs("stage")) == 2
    assert len(again.keys() & first.keys()) == 1
    assert runs("campaign") == {parent: "FINISHED"}
    history = client.get_metric_history(parent, "error")
    assert sorted((m.step, m.value) for m in history) == [(0, 0.5), (1, 0.25)]


def test_what_fails_is_one_line_without_passwords() -> None:
    def fail() -> None:
        raise OSError("no route to\nhost postgresql://ada:secret@db.org")

    told = tried("https://ada:secret@mlflow.org", fail)
    assert told is not None
    assert told.startswith("tracking at https://")
    assert "secret" not in told
    assert "\n" not in told
    assert tried("file:x", lambda: None) is None


def test_a_person_s_own_variables_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    name, *others = DEFAULTS
    monkeypatch.setenv(name, "7")
    for other in others:
        monkeypatch.delenv(other, raising=False)
    with mlflow_defaults():
        assert os.environ[name] == "7"
        assert all(os.environ[other] == DEFAULTS[other] for other in others)
    assert not any(other in os.environ for other in others)
