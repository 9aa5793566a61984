"""MLflow finds its file whatever the folder is called, and leaves nothing beside it."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from sqlalchemy import create_engine, text

from fidsel.campaign import CampaignFolder
from fidsel.fidelity.budget import Budget
from fidsel.testing import example_frames
from fidsel.tracking import Store, Tracker
from fidsel.tracking.store import DEFAULTS, mlflow_defaults, sqlite_uri, unflushed

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


@contextmanager
def own_tracking_uri() -> Iterator[None]:
    """Put MLflow's tracking URI back afterwards."""
    before = mlflow.get_tracking_uri()
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def test_rounds_and_the_model_are_sent_from_a_folder_of_any_name(
    small_campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(small_campaign, tmp_path / "50% of %20 #1?&c=d" / "campaign"))
    before = {path.name for path in folder.iterdir()}
    store = Store.of(None, folder)
    assert Tracker(CampaignFolder(folder), "water", store, Budget.parse("16")).sync() is None
    assert store.trouble() is None
    client = store.client()
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
    (campaign,) = client.search_runs([experiment.experiment_id], "tags.`fidsel.kind` = 'campaign'")
    (lines,) = re.findall("```python\n(.*?)```", campaign.data.tags["mlflow.note.content"], re.DOTALL)
    (model,) = client.search_logged_models([experiment.experiment_id])
    found: dict[str, Any] = {"address": model.model_uri}
    with own_tracking_uri():
        exec(lines, found)
    water = example_frames(1)[0]
    water.calc = found["calculator"]
    assert np.isfinite(water.get_potential_energy())
    before |= {"labels.db-wal", "labels.db-shm"}  # SQLite's, of reading why the campaign ended
    assert {path.name for path in folder.iterdir()} - before == {"mlflow.db", "mlartifacts", ".mlflow.lock"}
    assert {path.name for path in tmp_path.iterdir()} == {"50% of %20 #1?&c=d", "round.json"}


@pytest.mark.parametrize("left", ["mlflow.db", "mlartifacts"])
def test_a_store_of_another_folder_is_set_aside_and_made_anew(
    left: str, fresh_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    store = fresh_store(first)
    store.experiment(store.client(), "water")
    if left == "mlflow.db":  # files were deleted
        shutil.copytree(first, second)
        shutil.rmtree(second / "mlartifacts")
    else:
        first.rename(second)
    moved = Store.of(None, second)
    assert moved.client().get_experiment_by_name("water") is None
    assert moved.experiment(moved.client(), "water").artifact_location == (second / "mlartifacts").as_uri()
    assert (second / "mlflow.db.moved").is_file()
    assert not (first / "mlartifacts").exists() or left == "mlflow.db"


def test_only_the_making_of_a_store_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    def waits(name: str) -> int:
        engine = create_engine(sqlite_uri(tmp_path / name))
        with engine.begin() as connection:
            found = connection.execute(text("PRAGMA synchronous")).scalar_one()
        engine.dispose()
        return int(found)

    with unflushed():
        assert waits("a.db") == 0
    assert waits("a.db") == waits("b.db") == 2


def test_a_store_whose_making_was_cut_off_is_made_anew(
    fresh_store: Callable[[Path], Store], tmp_path: Path
) -> None:
    whole = (fresh_store(tmp_path).folder or tmp_path) / "mlflow.db"
    (tmp_path / ".mlflow.db.part").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    store = Store.of(None, tmp_path)
    assert store.experiment(store.client(), "water").name == "water"
    assert not (tmp_path / ".mlflow.db.part").exists()


@pytest.mark.parametrize("name", ["lab", "50% of %20 #1"])
def test_a_relative_database_lies_in_the_folder_wherever_it_is_used_from(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / name, tmp_path / "elsewhere"
    found = []
    for current in (home, elsewhere):
        current.mkdir()
        monkeypatch.chdir(current)
        store = Store.of("sqlite:///runs.db", home)
        found.append(store.experiment(store.client(), "water"))
    assert found[0].experiment_id == found[1].experiment_id
    assert found[0].artifact_location == (home / "mlartifacts").as_uri()
    assert [path.name for path in home.iterdir()] == ["runs.db"]
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    "uri",
    [
        "https://mlflow.org",
        "sqlite:///:memory:",
        "sqlite:///file:a.db?mode=ro&uri=true",
        "sqlite:[",
        "sqlite",
    ],
)
def test_other_uris_stay_as_a_person_gave_them(uri: str, tmp_path: Path) -> None:
    assert Store.of(uri, tmp_path) == Store(uri)
    assert Store(uri).artifacts is None


def test_what_fails_is_one_line_without_passwords() -> None:
    def fail() -> None:
        raise OSError("no route to\nhost postgresql://ada:secret@db.org")

    told = Store("https://ada:secret@mlflow.org").tried(fail)
    assert told is not None
    assert told.startswith("tracking at https://")
    assert "secret" not in told
    assert "\n" not in told
    assert Store("file:x").tried(lambda: None) is None


def test_a_person_s_own_variables_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    name, *others = DEFAULTS
    monkeypatch.setenv(name, "7")
    for other in others:
        monkeypatch.delenv(other, raising=False)
    with mlflow_defaults():
        assert os.environ[name] == "7"
        assert all(os.environ[other] == DEFAULTS[other] for other in others)
    assert not any(other in os.environ for other in others)


def test_a_server_s_page_is_told_without_a_password() -> None:
    assert Store("https://ada:secret@mlflow.org/lab/").server == "https://mlflow.org/lab"
    assert Store("sqlite:////home/ada/mlflow.db").server is None


def test_files_are_removed_from_a_store_of_our_own_alone(tmp_path: Path) -> None:
    runs = [tmp_path / "mlartifacts" / name for name in ("one", "two", "models/m-3")]
    for run in runs:
        (run / "artifacts").mkdir(parents=True)
    server, own = Store.of(f"sqlite:///{tmp_path}/mlflow.db", tmp_path), Store.of(None, tmp_path)
    server.forget_files("one")
    assert all(run.exists() for run in runs)
    for parts in (("one",), ("models", "m-3"), ("never-sent",)):
        own.forget_files(*parts)
    assert [run.exists() for run in runs] == [False, True, False]
