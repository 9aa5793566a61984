"""A selection from a file is a run of MLflow with a child per round."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import fidsel
from fidsel.data import Frames
from fidsel.tasks.file_selection import FileSelection
from fidsel.testing import example_frames
from fidsel.tracking import SelectionTracker
from fidsel.tracking.view import TAG

FRAMES = example_frames(60)
KINDS = ("selection", "control arm", "round")
ERROR = "force MAE meV per Å"


@pytest.fixture
def uri(empty_mlflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store in the folder that picks go to."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


def selected(uri: str, frames: Frames = FRAMES, rounds: int = 2, start: int = 10) -> FileSelection:
    return fidsel.select(
        frames, settings=["model.sigmas=[10]"], start=start, size=5, rounds=rounds, track=uri
    )


def runs(uri: str) -> tuple[list[Run], list[Run]]:
    """Return the runs of selections and then of control arms, and those of rounds in their order."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("frames")
    assert experiment is not None
    found = list(client.search_runs([experiment.experiment_id], max_results=1000))
    kinds = [[run for run in found if run.data.tags["fidsel.kind"] == kind] for kind in KINDS]
    rounds = sorted(kinds[2], key=lambda run: int(run.data.tags["fidsel.round"]))
    return [*kinds[0], *kinds[1]], rounds


def history(uri: str, run: Run, name: str) -> list[tuple[int, float]]:
    client = MlflowClient(tracking_uri=uri)
    return sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name))


def test_rounds_are_children_and_the_parent_has_their_curves(uri: str) -> None:
    found = selected(uri)
    (parent, control), rounds = runs(uri)
    assert [run.data.tags["mlflow.parentRunId"] for run in rounds] == [parent.info.run_id] * 3
    assert {run.info.status for run in (parent, control, *rounds)} == {"FINISHED"}
    assert parent.data.params["selector.kind"] == "cluster-error"
    for run, arm in ((parent, found.rounds), (control, found.control)):
        errors = [1000 * (one.held_out.force_mae or 0) for one in arm if one.held_out is not None]
        sent = history(uri, run, ERROR)
        assert [step for step, _ in sent] == [0, 1, 2]
        assert [value for _, value in sent] == pytest.approx(errors, rel=1e-4)
        assert history(uri, run, "spent") == [(0, 10.0), (1, 15.0), (2, 20.0)]
    assert rounds[1].data.params["rows"] == str([pick.row for pick in found.rounds[1].picks])
    assert rounds[2].data.params["stop"].startswith("round limit")
    client = MlflowClient(tracking_uri=uri)
    assert TAG in client.get_experiment(parent.info.experiment_id).tags


def test_more_rounds_are_added_once_and_another_selection_is_another_run(uri: str) -> None:
    selected(uri, rounds=1)
    selected(uri, rounds=1)
    (parent, _), rounds = runs(uri)
    assert len(rounds) == 2
    selected(uri, rounds=2)
    (again, _), rounds = runs(uri)
    assert (again.info.run_id, again.info.status, len(rounds)) == (parent.info.run_id, "FINISHED", 3)
    assert [step for step, _ in history(uri, again, "test/force RMSE meV per Å")] == [0, 1, 2]
    Path("picks.npz").unlink()
    selected(uri, rounds=1, start=12)
    assert len(runs(uri)[0]) == 4


def test_a_server_that_is_away_stops_nothing(uri: str) -> None:
    away = "sqlite:////proc/none/x.db"
    found = selected(away, rounds=1)
    assert len(found.rounds) == 2
    told = SelectionTracker(away, "frames", "picks", found.settings).sync(found.rounds)
    assert told is not None
    assert told.startswith(f"tracking at {away} failed: ")
    assert told.endswith("the rounds are kept and sent next time")
    selected(uri, rounds=1)
    assert len(runs(uri)[1]) == 2
