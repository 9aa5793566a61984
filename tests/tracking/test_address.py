"""MLflow finds its file whatever the folder is called, and leaves nothing beside it."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy import create_engine, text

from fidsel.campaign import CampaignFolder
from fidsel.tracking import Tracker
from fidsel.tracking.tracker import sqlite_uri

NAMES = ["plain", "a%20b", "50% of #1?&c=d", "ü–+ ;,'\"", "x?y", "#"]


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_where_it_should_be(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    engine = create_engine(sqlite_uri(folder / "mlflow.db"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    engine.dispose()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        name,
        f"{name}/mlflow.db",
    ]


def test_rounds_are_sent_from_a_folder_of_any_name(
    small_campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(small_campaign, tmp_path / "50% of %20 #1?&c=d" / "campaign"))
    before = {path.name for path in folder.iterdir()}
    tracker = Tracker(CampaignFolder(folder), "water")
    assert tracker.sync() is None
    assert tracker.trouble() is None
    client = MlflowClient(tracking_uri=tracker.tracking_uri)
    experiment = client.get_experiment_by_name("water")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`fidsel.kind` = 'round'")
    assert len(runs) == 2
    for run in runs:
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"round.json", "report.html", "model"} <= files
        kept = Path(client.download_artifacts(run.info.run_id, "round.json", str(tmp_path)))
        assert (
            kept.read_bytes()
            == (folder / "rounds" / f"000{run.data.tags['fidsel.round']}" / "round.json").read_bytes()
        )
    assert {path.name for path in folder.iterdir()} - before == {"mlflow.db", "mlartifacts", ".mlflow.lock"}
    assert {path.name for path in tmp_path.iterdir()} == {"50% of %20 #1?&c=d", "round.json"}
