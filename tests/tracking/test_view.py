"""What the prepared view shows; that MLflow's page draws it is tested in a browser, see `test_page.py`."""

import json
import shutil
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from fidsel.tracking.view import COMPARED, NOTE, TAG, address, prepare_view, state

METRICS = {
    "force MAE meV per Å": 2.0, "worst cluster RMSE meV per Å": 9.0, "saved percent": 31.0,
    "saved percent low": -20.0, "spent": 40.0, "labels/pbe": 200.0, "labels/ccsd_t_": 25.0,
    "seconds/training": 3.0, "test/energy MAE meV": 1.0,
}  # fmt: skip


def experiment_with_runs(folder: Path, template: Path) -> tuple[MlflowClient, str, list[Run]]:
    shutil.copy(template, folder / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("water")
    for tags in ({"arm": "campaign"}, {"arm": "control arm"}, {"fidsel.kind": "round"}):
        run = client.create_run(experiment, tags=tags)
        for name, value in METRICS.items():
            client.log_metric(run.info.run_id, name, value)
    return client, experiment, list(client.search_runs([experiment], COMPARED))


def test_charts_stand_in_the_order_of_what_a_person_asks(empty_mlflow: Path, tmp_path: Path) -> None:
    client, experiment, runs = experiment_with_runs(tmp_path, empty_mlflow)
    assert {run.data.tags["arm"] for run in runs} == {"campaign", "control arm"}
    prepare_view(client, client.get_experiment(experiment), "core-h")
    tags = client.get_experiment(experiment).tags
    found = json.loads(tags[TAG])
    charts = [
        (chart["selectedMetricKeys"], chart["selectedXAxisMetricKey"]) for chart in found["compareRunCharts"]
    ]
    assert charts == [
        (["force MAE meV per Å"], "spent"),
        (["worst cluster RMSE meV per Å"], "spent"),
        (["saved percent"], "spent"),
        (["labels/ccsd_t_", "labels/pbe"], ""),
        (["seconds/training"], ""),
    ]
    assert found["orderByKey"] == "metrics.`force MAE meV per Å`"
    assert "core-h" in found["compareRunSections"][0]["name"]
    assert "Spend is in core-h" in tags[NOTE]


def test_a_person_s_own_words_stay(empty_mlflow: Path, tmp_path: Path) -> None:
    client, experiment, _ = experiment_with_runs(tmp_path, empty_mlflow)
    client.set_experiment_tag(experiment, NOTE, "mine")
    prepare_view(client, client.get_experiment(experiment), "core-h")
    assert client.get_experiment(experiment).tags[NOTE] == "mine"


def test_without_runs_there_are_no_charts() -> None:
    assert state([], "labels")["compareRunCharts"] == []
    assert address("7").startswith("/#/experiments/7/runs?viewStateShareKey=fidsel&compareRunsMode=CHART")
