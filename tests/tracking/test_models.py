"""The best model of a campaign as a logged model of MLflow: once, whole, without pickles, and registered."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel

from fidsel.campaign import CampaignFolder
from fidsel.config.build import open_tracker
from fidsel.data import read
from fidsel.models import load
from fidsel.tracking import Store, Tracker


@pytest.fixture
def tracker(small_campaign: Path, fresh_store: Callable[[Path], Store], tmp_path: Path) -> Tracker:
    """Sends a copy of the small campaign to a store of its own."""
    folder = Path(shutil.copytree(small_campaign, tmp_path / "campaign"))
    found = open_tracker(folder, ["tracking.register_as=water (hf)"], fresh_store(folder))
    assert found is not None
    return found


def logged(client: MlflowClient) -> list[LoggedModel]:
    experiment = client.get_experiment_by_name("water")
    assert experiment is not None
    return list(client.search_logged_models([experiment.experiment_id]))


def test_the_best_model_predicts_once_it_is_loaded(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where some versions of MLflow leave a store of their own when they load
    assert tracker.sync() is None
    client = tracker.store.client()
    (kept,) = logged(client)
    (version,) = client.search_model_versions("name = 'water (hf)'")
    assert (kept.name, str(kept.status)) == ("best_model", "READY")
    assert (version.source, version.run_id) == (kept.artifact_location, kept.source_run_id)
    assert kept.params["level"] == "hf(sto)"
    assert json.loads(kept.tags["units"])["forces"] == "eV/Å"
    run = client.get_run(str(kept.source_run_id))
    assert run.data.tags["fidsel.kind"] == "campaign"
    assert [one.model_id for one in run.outputs.model_outputs] == [kept.model_id]
    folder = Path(mlflow.artifacts.download_artifacts(kept.artifact_location))
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds == {"", ".yaml", ".txt", ".json", ".safetensors", ".py"}  # no pickle
    source = tracker.folder.round(int(kept.params["round"]))
    frames, model = read(source / "validation.extxyz"), load(source / "model")
    loaded = mlflow.pyfunc.load_model(str(folder))
    found = loaded.predict([{"numbers": atoms.numbers, "positions": atoms.positions} for atoms in frames])
    expected = model.predict(frames)
    assert found["energy"].to_numpy() == pytest.approx(expected.energy)
    assert np.concatenate([*found["forces"]]) == pytest.approx(expected.forces)
    atoms = frames[0]
    atoms.calc = loaded.unwrap_python_model().force_field.calculator()
    assert atoms.get_potential_energy() == pytest.approx(expected.energy[0])


def test_it_is_logged_once_and_again_where_it_came_in_part(tracker: Tracker) -> None:
    assert tracker.sync() is None
    client = tracker.store.client()
    (first,) = logged(client)
    assert tracker.sync() is None
    assert [model.model_id for model in logged(client)] == [first.model_id]
    assert len(client.search_model_versions("name = 'water (hf)'")) == 1
    client.finalize_logged_model(first.model_id, "FAILED")
    assert replace(tracker, register="").sync() is None
    (again,) = logged(client)
    assert (again.model_id != first.model_id, str(again.status)) == (True, "READY")
    assert tracker.store.folder is not None
    kept = tracker.store.folder / "mlartifacts" / "models"
    assert [path.name for path in kept.iterdir()] == [again.model_id], "files of the other are gone"


def test_a_campaign_that_goes_on_has_none_yet(tracker: Tracker) -> None:
    shutil.rmtree(CampaignFolder(tracker.folder.path).round(1))
    assert tracker.sync() is None
    assert logged(tracker.store.client()) == []
