"""`Tracker`: one MLflow run per campaign, a child per round, a grandchild per training stage.

What is on disk under `rounds/` is the truth; `sync` sends what the tracking server does not have yet,
so that a server that was away is caught up later.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import Round
from fidsel.exceptions import FidselError
from fidsel.tracking.entries import Point, parameters, round_points, stage_points, without_passwords

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

CAMPAIGN, KIND, INDEX, PARENT = "fidsel.campaign", "fidsel.kind", "fidsel.round", "mlflow.parentRunId"
PARAMETERS_PER_BATCH, POINTS_PER_BATCH = 100, 900
"""Limits of one request to a tracking server."""
SPECIAL = frozenset("%?#")
"""Characters that have a meaning in a URI."""

DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
"""MLflow waits minutes for a server that is away, tells its makers of its use, and is chatty; a person
who set one of these variables has their way."""


@dataclass(frozen=True)
class Tracker:
    """Sends the rounds of a campaign folder to MLflow.

    The parent run holds the configuration and every metric of every round, against the round's number
    and (`vs_spent/`) against what was spent by then; a round's run its record, picks with reasons,
    cluster-error plot, model and data sets; a stage's run its losses and notes.

    Parameters
    ----------
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
        return self.uri or sqlite_uri(self.folder.path.resolve() / "mlflow.db")

    @property
    def shown_uri(self) -> str:
        """The tracking URI as it may be printed."""
        return without_passwords(self.tracking_uri)

    @property
    def artifacts(self) -> str | None:
        """URI of the folder for files; None = the tracking server decides."""
        return None if self.uri else (self.folder.path.resolve() / "mlartifacts").as_uri()

    def sync(self) -> str | None:
        """Send every finished round that the server does not have; return why that failed, or None.

        A failure is returned, not raised: tracking never stops a campaign, and the next call tries
        again. A round that was sent in part is replaced.

        Raises `FidselError` where `rounds/` itself cannot be read.
        """
        rounds = self.folder.read_rounds()
        if not rounds:
            return None

        def send() -> None:
            with _one_at_a_time(self.folder.path / ".mlflow.lock"):
                self._sync(rounds)

        trouble = self._tried(send)
        return trouble and f"{trouble}; the rounds are kept and sent next time"

    def trouble(self) -> str | None:
        """Return why the tracking URI cannot be used, None where it answers; nothing is sent."""

        def ask() -> None:
            from mlflow import MlflowClient

            MlflowClient(tracking_uri=self.tracking_uri).search_experiments(max_results=1)

        return self._tried(ask)

    def _tried(self, action: Callable[[], None]) -> str | None:
        """Return in one line why an action failed, None where it did not."""
        try:
            with mlflow_defaults():
                action()
        except Exception as error:  # isolation boundary: stores and artifact plugins raise what they like
            why = " ".join(str(error).split())[:200] or type(error).__name__
            return f"tracking at {self.shown_uri} failed: {without_passwords(why)}"
        return None

    def _sync(self, rounds: Sequence[Round]) -> None:
        from mlflow import MlflowClient

        if self.uri is None:
            self._make_store()
        client = MlflowClient(tracking_uri=self.tracking_uri)
        parent = self._parent(client, self._experiment(client), rounds[0].campaign)
        known = _finished_rounds(client, parent)
        missing = [record for record in rounds if record.index not in known]
        if missing:
            done = {metric.step for metric in client.get_metric_history(parent.info.run_id, "spent")}
            for record in missing:
                self._send(client, parent, record, in_parent=record.index in done)
        status = "FINISHED" if rounds[-1].stop else "RUNNING"
        if status == "FINISHED" and parent.info.status != status:
            client.set_terminated(parent.info.run_id, status)
        elif parent.info.status != status:
            client.update_run(parent.info.run_id, status=status)

    def _make_store(self) -> None:
        """Make `mlflow.db` at one stroke: a store whose making is cut off could never be opened again."""
        from mlflow import MlflowClient

        store = self.folder.path.resolve() / "mlflow.db"
        draft = store.with_name(".mlflow.db.part")
        if not store.exists():
            draft.unlink(missing_ok=True)
            MlflowClient(tracking_uri=sqlite_uri(draft)).search_experiments(max_results=1)
            draft.replace(store)

    def _experiment(self, client: "MlflowClient") -> "Experiment":
        found = client.get_experiment_by_name(self.experiment)
        if found is None:
            return client.get_experiment(client.create_experiment(self.experiment, self.artifacts))
        if self.artifacts and found.artifact_location != self.artifacts:
            raise FidselError(
                f"mlflow.db keeps its files in {found.artifact_location}: this folder was moved or copied; "
                "delete mlflow.db and mlartifacts here, they are made anew from rounds/"
            )
        return found

    def _parent(self, client: "MlflowClient", experiment: "Experiment", campaign: str) -> "Run":
        """Return the campaign's run with its configuration, made where there is none."""
        chosen = f"tags.`{CAMPAIGN}` = '{campaign}' and tags.`{KIND}` = 'campaign'"
        found = client.search_runs([experiment.experiment_id], chosen, max_results=1)
        tags = {CAMPAIGN: campaign, KIND: "campaign", "mlflow.runName": self.experiment}
        run = found[0] if found else client.create_run(experiment.experiment_id, tags=tags)
        wanted = parameters(self.parameters or {})
        _log(client, run, params={k: v for k, v in wanted.items() if k not in run.data.params})
        return run

    def _send(self, client: "MlflowClient", parent: "Run", record: Round, in_parent: bool) -> None:
        """Send a round; its run is FINISHED only once all of it has arrived."""
        folder = self.folder.round(record.index)
        when = int(1000 * (folder / "round.json").stat().st_mtime)
        points = round_points(record)
        run = _child(client, parent, record, "round", f"round {record.index}")
        said = {"picks": len(record.picks), "stop": record.stop, "notes": "; ".join(record.notes)}
        _log(client, run, points, parameters(said), when)
        for number, history in enumerate(record.training.get("histories", ())):
            stage = _child(client, run, record, "stage", f"{number} {history['stage']}")
            _log(client, stage, stage_points(history), parameters(history["notes"]), when)
            client.set_terminated(stage.info.run_id, "FINISHED")
        client.log_artifacts(run.info.run_id, str(folder))
        _log_data_sets(client, run, folder)
        if not in_parent:
            _log(client, parent, points, when=when)
        client.set_terminated(run.info.run_id, "FINISHED")


def sqlite_uri(path: Path) -> str:
    """Return the tracking URI of a SQLite file.

    In a path with special characters they are escaped. Whether SQLAlchemy, or SQLite itself, takes the
    escapes back depends on SQLAlchemy's version. The name of the driver keeps MLflow from taking the
    escaped path for a folder to make.

    Examples
    --------
    >>> sqlite_uri(Path("/home/ada/mlflow.db"))
    'sqlite:////home/ada/mlflow.db'
    """
    if not SPECIAL.intersection(str(path)):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import make_url

    escaped = quote(str(path))
    uri = f"sqlite+pysqlite:///{escaped}"
    return uri if make_url(uri).database == str(path) else f"sqlite+pysqlite:///file:{escaped}?uri=true"


@contextmanager
def mlflow_defaults() -> Iterator[None]:
    """Set the environment variables of `DEFAULTS` that are not set, for the time of a `with` block."""
    ours = {name: value for name, value in DEFAULTS.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process sends the rounds of this folder."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _finished_rounds(client: "MlflowClient", parent: "Run") -> set[int]:
    """Return the rounds that arrived whole, after removing what is there of others."""
    finished = set()
    for run in _children(client, parent):
        if run.info.status == "FINISHED":
            finished.add(int(run.data.tags[INDEX]))
            continue
        for stage in _children(client, run):
            client.delete_run(stage.info.run_id)
        client.delete_run(run.info.run_id)
    return finished


def _children(client: "MlflowClient", parent: "Run") -> Iterator["Run"]:
    chosen, token = f"tags.`{PARENT}` = '{parent.info.run_id}'", None
    while True:
        page = client.search_runs([parent.info.experiment_id], chosen, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _child(client: "MlflowClient", parent: "Run", record: Round, kind: str, name: str) -> "Run":
    tags = {CAMPAIGN: record.campaign, KIND: kind, INDEX: str(record.index), PARENT: parent.info.run_id}
    return client.create_run(parent.info.experiment_id, tags=tags, run_name=name)


def _log(
    client: "MlflowClient",
    run: "Run",
    points: Sequence[Point] = (),
    params: Mapping[str, str] | None = None,
    when: int = 0,
) -> None:
    """Send metrics and parameters in as few requests as the server's limits allow."""
    from mlflow.entities import Metric, Param

    metrics = [Metric(point.name, point.value, when, point.step) for point in points]
    rows = [Param(name, text) for name, text in (params or {}).items()]
    while metrics or rows:
        client.log_batch(run.info.run_id, metrics[:POINTS_PER_BATCH], rows[:PARAMETERS_PER_BATCH])
        metrics, rows = metrics[POINTS_PER_BATCH:], rows[PARAMETERS_PER_BATCH:]


def _log_data_sets(client: "MlflowClient", run: "Run", folder: Path) -> None:
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
