"""A tracking server on PostgreSQL with basic authentication, killed while a campaign sends its rounds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import mlflow.pyfunc
import pytest
from mlflow import MlflowClient
from remote_mlflow import PASSWORD, USER, RemoteMlflow, remote_mlflow
from sent_runs import Sent, check_whole
from small_campaign import CONFIG
from sqlalchemy import create_engine, text

from fidsel.campaign import CampaignFolder, iterate
from fidsel.config.build import open_campaign, open_tracker
from fidsel.data import read
from fidsel.models import load
from fidsel.tracking import Store

pytestmark = pytest.mark.slow

TABLES = ("runs", "metrics", "params", "tags", "inputs", "logged_models", "model_versions")


@pytest.fixture(scope="module")
def server() -> Iterator[RemoteMlflow]:
    with remote_mlflow() as found:
        found.start()
        yield found


def rows(server: RemoteMlflow) -> dict[str, int]:
    """Count the rows of each table."""
    engine = create_engine(server.database)
    with engine.connect() as database:
        found = {name: database.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES}
    engine.dispose()
    return found


def test_a_server_killed_in_mid_campaign_loses_nothing_and_has_nothing_twice(
    server: RemoteMlflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fidsel.toml").write_text(CONFIG)
    uri = server.uri.replace("://", f"://{USER}:{PASSWORD}@")
    settings = [f"tracking.uri={uri}", "tracking.register_as=water"]
    tracker = open_tracker(tmp_path, settings)
    assert tracker is not None
    told = []
    for record in iterate(open_campaign(tmp_path, settings)):
        if record.index == 0:
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(tracker.sync)
                while not any(path.is_file() for path in server.files.rglob("*")):
                    assert not sending.done(), sending.result()
                    sleep(0.01)
                server.kill()
                told.append(sending.result())
        else:
            told.append(tracker.sync())
    assert len(told) == 2
    for trouble in told:
        assert trouble is not None
        assert trouble.startswith(f"tracking at {server.uri.replace('://', '://…@')} failed: ")
    server.start()
    assert tracker.sync() is None

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    home = CampaignFolder(tmp_path)
    sent, rounds = Sent(MlflowClient()), home.read_rounds()
    check_whole(sent, rounds)
    for run, record in zip(sent.rounds, rounds, strict=True):
        files = {file.path for file in sent.client.list_artifacts(run.info.run_id)}
        assert files == {path.name for path in home.round(record.index).iterdir()}
    before = rows(server)
    assert tracker.sync() is None
    assert rows(server) == before
    assert (before["logged_models"], before["model_versions"]) == (1, 1)

    model = mlflow.pyfunc.load_model("models:/water/1")
    frames = read(home.round(1) / "validation.extxyz")
    found = model.predict([{"numbers": atoms.numbers, "positions": atoms.positions} for atoms in frames])
    (kept,) = sent.client.search_logged_models([sent.parent.info.experiment_id])
    expected = load(home.round(int(kept.params["round"])) / "model").predict(frames)
    assert found["energy"].to_numpy() == pytest.approx(expected.energy)

    said = "".join(capfd.readouterr()) + str(told) + str([run.data.to_dictionary() for run in sent.runs])
    assert PASSWORD not in said
    ours = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in ours if PASSWORD.encode() in path.read_bytes()] == []


def test_a_wrong_password_is_one_line_without_it(
    server: RemoteMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong-horse")
    trouble = Store(server.uri).trouble()
    assert trouble is not None
    assert ("\n" in trouble, "wrong-horse" in trouble) == (False, False)
    assert trouble.startswith(f"tracking at {server.uri} failed: ")
