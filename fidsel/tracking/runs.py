"""Runs of MLflow: one for what is tracked, a child for each round of it, a grandchild for each stage."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from fidsel.tracking.entries import Point, without_passwords

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

CAMPAIGN, KIND, INDEX, PARENT = "fidsel.campaign", "fidsel.kind", "fidsel.round", "mlflow.parentRunId"
PARAMETERS_PER_BATCH, POINTS_PER_BATCH = 100, 900
"""Limits of one request to a tracking server."""

DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
"""MLflow waits minutes for a server that is away, tells its makers of its use, and is chatty; a person
who set one of these variables has their way."""


@dataclass(frozen=True)
class Stage:
    """What a run says of one training stage."""

    name: str
    points: tuple[Point, ...]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """What a run says of one round.

    Parameters
    ----------
    index : of the round.
    points : metrics, which the parent run has too.
    parameters : of the round alone.
    stages : of its training.
    folder : files to keep with it, data sets among them; None = none.
    when : ms since 1970, time of the metrics.
    """

    index: int
    points: tuple[Point, ...]
    parameters: Mapping[str, str]
    stages: tuple[Stage, ...] = ()
    folder: Path | None = None
    when: int = 0


@dataclass(frozen=True)
class Tracked:
    """What is tracked: a campaign, or a selection from a file.

    Parameters
    ----------
    name : tells it from others of its experiment.
    title : of its run.
    parameters : of its run.
    kind : "campaign" or "selection".
    """

    name: str
    title: str
    parameters: Mapping[str, str]
    kind: str = "campaign"


def tried(uri: str, action: Callable[[], None]) -> str | None:
    """Return in one line why an action on a tracking server failed, None where it did not."""
    try:
        with mlflow_defaults():
            action()
    except Exception as error:  # isolation boundary: stores and artifact plugins raise what they like
        why = " ".join(str(error).split())[:200] or type(error).__name__
        return f"tracking at {without_passwords(uri)} failed: {without_passwords(why)}"
    return None


def send_rounds(
    client: "MlflowClient", experiment: "Experiment", what: Tracked, entries: Sequence[Entry], *, ended: bool
) -> None:
    """Send the rounds that a tracking server does not have whole; one that was sent in part is replaced."""
    parent = _parent(client, experiment, what)
    known = _finished_rounds(client, parent)
    missing = [entry for entry in entries if entry.index not in known]
    if missing:
        done = {metric.step for metric in client.get_metric_history(parent.info.run_id, "spent")}
        for entry in missing:
            _send(client, parent, what, entry, in_parent=entry.index in done)
    status = "FINISHED" if ended else "RUNNING"
    if ended and parent.info.status != status:
        client.set_terminated(parent.info.run_id, status)
    elif parent.info.status != status:
        client.update_run(parent.info.run_id, status=status)


def _parent(client: "MlflowClient", experiment: "Experiment", what: Tracked) -> "Run":
    """Return the run of what is tracked with its parameters, made where there is none."""
    chosen = f"tags.`{CAMPAIGN}` = '{what.name}' and tags.`{KIND}` = '{what.kind}'"
    found = client.search_runs([experiment.experiment_id], chosen, max_results=1)
    tags = {CAMPAIGN: what.name, KIND: what.kind, "mlflow.runName": what.title}
    run = found[0] if found else client.create_run(experiment.experiment_id, tags=tags)
    _log(client, run, params={k: v for k, v in what.parameters.items() if k not in run.data.params})
    return run


def _send(client: "MlflowClient", parent: "Run", what: Tracked, entry: Entry, in_parent: bool) -> None:
    """Send a round; its run is FINISHED only once all of it has arrived."""
    tags = {CAMPAIGN: what.name, INDEX: str(entry.index)}
    run = _child(client, parent, tags | {KIND: "round"}, f"round {entry.index}")
    _log(client, run, entry.points, entry.parameters, entry.when)
    for stage in entry.stages:
        child = _child(client, run, tags | {KIND: "stage"}, stage.name)
        _log(client, child, stage.points, stage.parameters, entry.when)
        client.set_terminated(child.info.run_id, "FINISHED")
    if entry.folder is not None:
        client.log_artifacts(run.info.run_id, str(entry.folder))
        _log_data_sets(client, run, entry.folder)
    if not in_parent:
        _log(client, parent, entry.points, when=entry.when)
    client.set_terminated(run.info.run_id, "FINISHED")


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


def _child(client: "MlflowClient", parent: "Run", tags: Mapping[str, str], name: str) -> "Run":
    given = {**tags, PARENT: parent.info.run_id}
    return client.create_run(parent.info.experiment_id, tags=given, run_name=name)


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
