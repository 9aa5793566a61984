import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from sent_runs import Sent, check_whole

from fidsel.campaign import CampaignFolder
from fidsel.campaign.journal import Journal
from fidsel.campaign.records.decisions import End
from fidsel.config.build import open_tracker
from fidsel.fidelity import LabelStore
from fidsel.fidelity.budget import Budget
from fidsel.models import load
from fidsel.tracking import Store, Tracker
from fidsel.tracking.runs import STATE
from fidsel.tracking.view import NOTE


@pytest.fixture
def home(small_campaign: Path, fresh_store: Callable[[Path], Store], tmp_path: Path) -> CampaignFolder:
    """A copy of the small campaign that nothing was sent from yet, beside an empty store."""
    folder = tmp_path / "campaign"
    shutil.copytree(small_campaign, folder)
    fresh_store(folder)
    return CampaignFolder(folder)


def tracker(home: CampaignFolder, uri: str | None = None) -> Tracker:
    found = open_tracker(home.path, (), Store.of(uri, home.path))
    assert found is not None
    return found


def sent_of(home: CampaignFolder) -> Sent:
    return Sent(MlflowClient(tracking_uri=tracker(home).store.uri))


def with_files(sent: Sent) -> list[Run]:
    return [run for run in sent.runs if sent.client.list_artifacts(run.info.run_id)]


def rows(home: CampaignFolder) -> dict[str, int]:
    """Count what belongs to runs that are not deleted."""
    with closing(sqlite3.connect(home.path / "mlflow.db")) as store:
        active = "run_uuid IN (SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active')"
        return {
            table: store.execute(f"SELECT count(*) FROM {table} WHERE {active}").fetchone()[0]
            for table in ("runs", "metrics", "params", "tags")
        }


def test_campaign_round_and_stage_runs_hold_what_the_rounds_say(home: CampaignFolder) -> None:
    rounds = home.read_rounds()
    assert len(rounds) == 2
    assert tracker(home).sync() is None
    check_whole(sent_of(home), rounds)
    sent = sent_of(home)
    assert sent.parent.info.run_name == "cluster-error · cokriging · sgdml · seed 0 · H2O"
    assert sent.control.info.run_name == "random labels · sgdml · seed 0 · H2O · control arm"
    tags = {"molecule": "H2O", "SMILES": "O", "levels": "mmff94 → hf(sto)", "picker": "cluster-error"}
    assert tags.items() <= sent.parent.data.tags.items()
    changed = sent.parent.data.params
    assert (changed["campaign.name"], changed["pool.frames"]) == ("water", "150")
    assert "campaign.seed" not in changed  # that is the usual one
    assert "held-out frames, after" in sent.parent.data.tags["mlflow.note.content"]
    assert sent.parent.data.metrics["labels/hf_sto_"] == rounds[-1].labels["hf(sto)"]
    assert rounds[-1].stop
    assert sent.parent.info.status == "FINISHED"
    notes = sent.of_kind("stage")[0].data.params
    assert "sigma" in notes


def test_files_and_data_sets_arrive_with_their_round(home: CampaignFolder) -> None:
    assert tracker(home).sync() is None
    sent = sent_of(home)
    for index, run in enumerate(sent.rounds):
        arrived = Path(sent.client.download_artifacts(run.info.run_id, ""))
        there = home.round(index)
        for name in ("picks.csv", "round.json", "cluster_errors.png", "report.html", "train.extxyz"):
            assert (arrived / name).read_bytes() == (there / name).read_bytes()
        assert load(arrived / "model").level == "hf(sto)"
        assert "reason" in (arrived / "picks.csv").read_text().splitlines()[0]
        names = {i.dataset.name for i in run.inputs.dataset_inputs}
        assert names == {"train hf(sto)", "validation hf(sto)"}
        assert {t.value for i in run.inputs.dataset_inputs for t in i.tags if t.key == "level"} == {"hf(sto)"}
    digests = [{i.dataset.name: i.dataset.digest for i in r.inputs.dataset_inputs} for r in sent.rounds]
    assert digests[0]["train hf(sto)"] != digests[1]["train hf(sto)"]
    kept = Path(sent.client.download_artifacts(sent.parent.info.run_id, ""))
    assert {path.name for path in kept.iterdir()} == {
        "report.html", "learning_curve.png", "config.json",
    }  # fmt: skip
    assert len(sent.parent.inputs.dataset_inputs) == 2


def test_a_second_call_sends_nothing(home: CampaignFolder) -> None:
    assert tracker(home).sync() is None
    before = rows(home)
    assert tracker(home).sync() is None
    assert rows(home) == before


def test_parent_runs_on_while_the_campaign_does(home: CampaignFolder, tmp_path: Path) -> None:
    rounds = home.read_rounds()
    last = home.round(1).rename(tmp_path / "later")
    assert tracker(home).sync() is None
    for run in (sent_of(home).parent, sent_of(home).control):
        assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    check_whole(sent_of(home), rounds[:1])
    last.rename(home.round(1))
    assert tracker(home).sync() is None
    check_whole(sent_of(home), rounds)
    sent = sent_of(home)
    ended = int(1000 * rounds[-1].finished)
    for run in (sent.parent, sent.control, sent.rounds[-1]):
        assert (run.info.status, run.info.end_time) == ("FINISHED", ended)
    assert sent.parent.info.start_time < sent.rounds[-1].info.start_time < ended


def test_an_end_that_an_edit_changed_is_told_anew(home: CampaignFolder) -> None:
    assert tracker(home).sync() is None
    number = len(home.read_rounds())
    with LabelStore(home.store) as store:
        Journal(store).write(End(number, "target reached: by an edit"))
    assert tracker(home).sync() is None
    tags = sent_of(home).parent.data.tags
    assert tags[STATE] == "target reached: by an edit"
    assert "Ended: target reached: by an edit." in tags[NOTE]
    with LabelStore(home.store) as store:
        Journal(store).write(End(number, ""))
    assert tracker(home).sync() is None
    sent = sent_of(home)
    assert "It goes on." in sent.parent.data.tags[NOTE]
    assert [run.info.status for run in (sent.parent, sent.control)] == ["RUNNING", "RUNNING"]
    check_whole(sent, home.read_rounds())


@pytest.mark.parametrize("reached_parent", [True, False])
def test_half_sent_round_is_replaced(home: CampaignFolder, reached_parent: bool) -> None:
    rounds = home.read_rounds()
    if reached_parent:  # the driver was killed just before the run was marked as finished
        assert tracker(home).sync() is None
        whole, sent = rows(home), sent_of(home)
        half = sent.rounds[1].info.run_id
        sent.client.update_run(half, status="RUNNING")
    else:  # a file cannot be stored
        experiment = tracker(home).store.experiment(tracker(home).store.client(), "water")
        (home.round(0) / "zz").symlink_to(home.path / "nowhere")
        trouble = tracker(home).sync()
        assert trouble is not None
        assert "\n" not in trouble
        client = MlflowClient(tracking_uri=tracker(home).store.uri)
        (run,) = client.search_runs([experiment.experiment_id], "tags.`fidsel.kind` = 'round'")
        half = run.info.run_id
        (home.round(0) / "zz").unlink()
    assert tracker(home).sync() is None
    check_whole(sent_of(home), rounds)
    runs = {run.info.run_id for run in sent_of(home).runs}
    assert half not in runs
    files = {path.name for path in (home.path / "mlartifacts").iterdir()}
    assert files - {".home", "models"} == {run.info.run_id for run in with_files(sent_of(home))}
    if reached_parent:
        assert rows(home) == whole


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "uri", ["silent", "http://127.0.0.1:1", "http://[", "nowhere://x", "sqlite:////proc/none/x.db",
            "postgresql://ada:secret@127.0.0.1:1/runs"],
)  # fmt: skip
def test_a_store_that_fails_is_one_line_and_caught_up_later(
    home: CampaignFolder, uri: str, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    trouble = tracker(home, silent_server if uri == "silent" else uri).sync()
    assert trouble is not None
    assert trouble.startswith("tracking at ")
    assert trouble.endswith("the rounds are kept and sent next time")
    assert "\n" not in trouble
    assert "secret" not in trouble
    assert tracker(home).sync() is None
    check_whole(sent_of(home), home.read_rounds())


def test_two_processes_at_once_send_everything_once(home: CampaignFolder) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: tracker(home).sync(), range(3))) == [None] * 3
    check_whole(sent_of(home), home.read_rounds())


def test_moved_folder_is_sent_anew_and_does_not_write_into_the_old_one(
    home: CampaignFolder, tmp_path: Path
) -> None:
    assert tracker(home).sync() is None
    moved = CampaignFolder(home.path.rename(tmp_path / "moved"))
    assert tracker(moved).sync() is None
    check_whole(sent_of(moved), moved.read_rounds())
    files = sent_of(moved).client.list_artifacts(sent_of(moved).parent.info.run_id)
    assert "report.html" in {file.path for file in files}
    assert not home.path.exists()


def test_spend_is_told_in_the_unit_of_the_experiment(home: CampaignFolder) -> None:
    first = tracker(home)
    assert first.sync() is None
    hours = Tracker(home, "water", first.store, Budget.parse("2core-h"))
    assert "counts spend in labels, this campaign in core-h" in str(hours.sync())


def test_nothing_is_made_before_the_first_round(tmp_path: Path) -> None:
    nothing = Tracker(CampaignFolder(tmp_path), "water", Store.of(None, tmp_path), Budget.parse("1"))
    assert nothing.sync() is None
    assert list(tmp_path.iterdir()) == []


def test_a_control_arm_whose_kind_was_edited_is_sent_from_its_last_kind_on(home: CampaignFolder) -> None:
    path = home.round(1) / "round.json"
    last = home.read_rounds()[1]
    assert last.control is not None
    path.write_text(replace(last, control=replace(last.control, kind="bought")).to_json())
    assert tracker(home).sync() is None
    sent = sent_of(home)
    assert [step for step, _ in sent.history(sent.control, "spent")] == [1]
    assert sent.control.data.tags["basis"] == "measured, from round 1 on"
    assert sent.control.data.tags["labels"] == f"{last.control.labels} hf(sto)"
