"""Rounds to MLflow: one parent run per campaign, a child per round, a grandchild per stage.

What is on disk under `rounds/` is the truth; `sync` sends what the tracking server does not have yet,
so that a server that was away is caught up later.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fidsel.campaign.folder import CampaignFolder
from fidsel.campaign.record import Metrics, Round

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CAMPAIGN, KIND, INDEX = "fidsel.campaign", "fidsel.kind", "fidsel.round"


@dataclass(frozen=True)
class Tracker:
    """Sends the rounds of a campaign folder to MLflow.

    Parameters
    ----------
    folder : the campaign.
    experiment : name of the MLflow experiment.
    uri : tracking URI; None = `mlflow.db` and `mlartifacts` in the campaign folder.
    parameters : configuration, logged with the parent run.
    """

    folder: CampaignFolder
    experiment: str
    uri: str | None = None
    parameters: Mapping[str, Any] | None = None

    @property
    def tracking_uri(self) -> str:
        """Where rounds go."""
        return self.uri or f"sqlite:///{self.folder.path.resolve() / 'mlflow.db'}"

    def sync(self) -> str | None:
        """Send every finished round that the server does not have; return why that failed, or None.

        A failure is returned, not raised: tracking never stops a campaign, and the next call tries again.
        """
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with _impatient():
                self._sync(self.folder.read_rounds())
        except (MlflowException, SQLAlchemyError, OSError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            return f"tracking at {self.tracking_uri} failed ({first}); rounds/ keeps it all and is sent next time"
        return None

    def _sync(self, rounds: Sequence[Round]) -> None:
        from mlflow import MlflowClient

        if not rounds:
            return
        client = MlflowClient(tracking_uri=self.tracking_uri)
        experiment = self._experiment(client)
        parent = self._parent(client, experiment, rounds[0].campaign)
        known = self._known(client, experiment, rounds[0].campaign)
        for record in rounds:
            if known.get(record.index) != "FINISHED":
                self._log_round(client, parent, record)
        client.set_terminated(parent.info.run_id, "FINISHED" if rounds[-1].stop else "RUNNING")

    def _experiment(self, client: "MlflowClient") -> str:
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        local = None if self.uri else (self.folder.path.resolve() / "mlartifacts").as_uri()
        return str(client.create_experiment(self.experiment, artifact_location=local))

    def _parent(self, client: "MlflowClient", experiment: str, campaign: str) -> "Run":
        found = client.search_runs([experiment], _filter(campaign, "campaign"), max_results=1)
        if found:
            return found[0]
        tags = {CAMPAIGN: campaign, KIND: "campaign", "mlflow.runName": self.experiment}
        run = client.create_run(experiment, tags=tags)
        _log_params(client, run, self.parameters or {})
        return run

    def _known(self, client: "MlflowClient", experiment: str, campaign: str) -> dict[int, str]:
        """Return the status of each round the server knows, after removing half-sent ones."""
        known: dict[int, str] = {}
        for kind in ("stage", "round"):
            for run in client.search_runs([experiment], _filter(campaign, kind), max_results=5000):
                index = int(run.data.tags[INDEX])
                if kind == "round" and run.info.status == "FINISHED":
                    known[index] = "FINISHED"
                elif kind == "round":
                    client.delete_run(run.info.run_id)
        for run in client.search_runs([experiment], _filter(campaign, "stage"), max_results=5000):
            if int(run.data.tags[INDEX]) not in known:
                client.delete_run(run.info.run_id)
        return known

    def _log_round(self, client: "MlflowClient", parent: "Run", record: Round) -> None:
        run = _child(client, parent, record, "round", f"round {record.index}")
        _log_metrics(client, run, _round_metrics(record), record.index)
        _log_params(
            client, run, {"stop": record.stop, "picks": len(record.picks), "notes": "; ".join(record.notes)}
        )
        for number, history in enumerate(record.training.get("histories", ())):
            self._log_stage(client, run, record, number, history)
        folder = self.folder.round(record.index)
        client.log_artifacts(run.info.run_id, str(folder))
        _log_datasets(client, run, folder)
        _log_metrics(client, parent, _round_metrics(record), record.index)
        against = {f"{name}_vs_spent": value for name, value in _error_metrics(record).items()}
        _log_metrics(client, parent, against, round(record.spent))
        client.set_terminated(run.info.run_id, "FINISHED")

    def _log_stage(
        self, client: "MlflowClient", parent: "Run", record: Round, number: int, history: Mapping[str, Any]
    ) -> None:
        run = _child(client, parent, record, "stage", f"{number} {history['stage']}")
        for name in ("train", "validation"):
            points = zip(history["step"], history[name], strict=False)
            _log_series(client, run, f"loss_{name}", [(int(step), float(value)) for step, value in points])
        _log_metrics(client, run, {"seconds": history["seconds"], "best_step": history["best_step"]}, 0)
        _log_params(client, run, history["notes"])
        client.set_terminated(run.info.run_id, "FINISHED")


def _filter(campaign: str, kind: str) -> str:
    return f"tags.`{CAMPAIGN}` = '{campaign}' and tags.`{KIND}` = '{kind}'"


def _child(client: "MlflowClient", parent: "Run", record: Round, kind: str, name: str) -> "Run":
    tags = {
        CAMPAIGN: record.campaign,
        KIND: kind,
        INDEX: str(record.index),
        "mlflow.parentRunId": parent.info.run_id,
        "mlflow.runName": name,
    }
    return client.create_run(parent.info.experiment_id, tags=tags)


def _error_metrics(record: Round) -> dict[str, float]:
    """Return held-out errors of the campaign and of its control arm."""
    values = _flat("test", record.metrics) | _flat("validation", record.validation)
    if record.control is not None:
        values["control_error"] = record.control.error
    if record.cluster_errors:
        values["worst_cluster_rmse"] = max(e for e in record.cluster_errors["rmse"] if e is not None)
    return values


def _round_metrics(record: Round) -> dict[str, float]:
    values = _error_metrics(record)
    values |= {"spent": record.spent, "remaining": record.remaining, "cost": record.cost}
    values |= {f"labels_{_safe(name)}": float(count) for name, count in record.labels.items()}
    values |= {f"account_{_safe(name)}": amount for name, amount in record.accounts.items()}
    values |= {f"seconds_{_safe(name)}": value for name, value in record.seconds.items()}
    if record.control is not None:
        values["saving"] = record.control.saving.share
    return values


def _flat(prefix: str, metrics: Metrics) -> dict[str, float]:
    return {f"{prefix}_{k}": float(v) for k, v in asdict(metrics).items() if v is not None and k != "frames"}


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_. /" else "_" for c in name)


def _log_metrics(client: "MlflowClient", run: "Run", values: Mapping[str, float], step: int) -> None:
    from mlflow.entities import Metric

    now = run.info.start_time
    client.log_batch(run.info.run_id, [Metric(k, float(v), now, step) for k, v in values.items()])


def _log_series(client: "MlflowClient", run: "Run", name: str, points: Sequence[tuple[int, float]]) -> None:
    from mlflow.entities import Metric

    if points:
        now = run.info.start_time
        client.log_batch(run.info.run_id, [Metric(name, value, now, step) for step, value in points])


def _log_params(client: "MlflowClient", run: "Run", values: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    flat = dict(_flatten(values))
    rows = [Param(_safe(key), text[:6000]) for key, text in flat.items() if text]
    for start in range(0, len(rows), 100):
        client.log_batch(run.info.run_id, params=rows[start : start + 100])


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and texts of nested values; lists of tables are numbered."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}.")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            for number, row in enumerate(value):
                yield from _flatten(row, f"{name}.{number}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _log_datasets(client: "MlflowClient", run: "Run", folder: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for path in sorted(folder.glob("*.extxyz")):
        content = path.read_bytes()
        dataset = Dataset(
            name=path.stem,
            digest=blake2b(content, digest_size=8).hexdigest(),
            source_type="local",
            source=json.dumps({"uri": path.resolve().as_uri()}),
            profile=json.dumps({"bytes": len(content)}),
        )
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", path.stem)]))
    if inputs:
        client.log_inputs(run.info.run_id, inputs)


@contextmanager
def _impatient() -> Iterator[None]:
    """Keep MLflow from waiting minutes for a server that is away, unless the person set its patience."""
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
    ours = {name: value for name, value in limits.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def serve(tracker: Tracker, port: int) -> int:
    """Serve MLflow's page on 127.0.0.1 until it is stopped; return its exit status."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", tracker.tracking_uri]
    artifacts = (tracker.folder.path.resolve() / "mlartifacts").as_uri()
    command += ["--default-artifact-root", artifacts, "--workers", "1"]
    with subprocess.Popen(command) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0
