"""Runs of MLflow: one for each arm that is compared, a child for each round, a grandchild for each stage."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from fidsel.tracking.entries import SPENT, Point
from fidsel.tracking.store import Store
from fidsel.tracking.view import ARM, NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

CAMPAIGN, KIND, INDEX, PARENT = "fidsel.campaign", "fidsel.kind", "fidsel.round", "mlflow.parentRunId"
STATE = "fidsel.state"
"""Tag of a campaign: why it has ended, or that it goes on."""
PARAMETERS_PER_BATCH, POINTS_PER_BATCH, TAGS_PER_BATCH = 100, 800, 100
"""Limits of one request to a tracking server."""


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
    points : metrics, which the campaign's run has too.
    parameters : of the round alone.
    stages : of its training.
    control : metrics of the control arm at this round.
    folder : files to keep with it, data sets among them; None = none.
    level : of the data sets' labels.
    began, ended : ms since 1970; metrics have the time of the end.
    """

    index: int
    points: tuple[Point, ...]
    parameters: Mapping[str, str]
    stages: tuple[Stage, ...] = ()
    control: tuple[Point, ...] = ()
    folder: Path | None = None
    level: str = ""
    began: int = 0
    ended: int = 0


@dataclass(frozen=True)
class Arm:
    """A run that is compared with others: a campaign, a selection, or the control arm of one.

    Parameters
    ----------
    name : tells it from others of its experiment.
    title : of its run.
    tags, parameters : of its run; those tags of a control arm are told anew with every round.
    kind : "campaign", "selection" or "control arm".
    """

    name: str
    title: str
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    kind: str = "campaign"


@dataclass(frozen=True)
class Story:
    """What the run of a campaign says as a whole.

    Parameters
    ----------
    note : description, Markdown.
    tags : that change from round to round.
    files : to keep with it.
    data : folder of its data sets, None as long as it goes on.
    """

    note: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    data: Path | None = None


def send_rounds(
    client: "MlflowClient",
    experiment: "Experiment",
    arm: Arm,
    entries: Sequence[Entry],
    story: Story,
    *,
    control: Arm | None = None,
    ended: bool,
    store: Store | None = None,
) -> "Run":
    """Send the rounds that a tracking server does not have whole, and return the run of the arm.

    A round that was sent in part is replaced. The run of a round is FINISHED only once all of it has arrived,
    and with the last one what is told of the whole; that is told anew where its `STATE` is another one, as
    after an edit that undid the end, or made it end for another reason.

    Parameters
    ----------
    store : where the runs are kept: the files of a run that is replaced are removed from one of our own.
    """
    parent = _run(client, experiment, arm, entries[0].began)
    known = _finished_rounds(client, parent, store)
    missing = [entry for entry in entries if entry.index not in known]
    if missing or parent.data.tags.get(STATE) != story.tags.get(STATE):
        arms = [_Known.of(client, parent)]
        if control is not None:
            arms.append(_Known.of(client, _run(client, experiment, control, entries[0].began)))
        for entry in missing:
            run = _send(client, arms, entry)
            if entry is missing[-1]:
                _tell(client, parent, story, entry)
            client.set_terminated(run.info.run_id, "FINISHED", entry.ended or None)
        if not missing:
            _tell(client, parent, story, entries[-1])
        if control is not None:
            _log(client, arms[1].run, tags=control.tags)
            _set_state(client, arms[1].run, ended, entries[-1].ended)
    _set_state(client, parent, ended, entries[-1].ended)
    return parent


@dataclass(frozen=True)
class _Known:
    """The run of an arm, and the rounds whose metrics it has."""

    run: "Run"
    rounds: frozenset[int]

    @classmethod
    def of(cls, client: "MlflowClient", run: "Run") -> "_Known":
        return cls(run, frozenset(m.step for m in client.get_metric_history(run.info.run_id, SPENT)))


def _run(client: "MlflowClient", experiment: "Experiment", arm: Arm, began: int) -> "Run":
    """Return the run of an arm with its parameters, made where there is none."""
    chosen = f"tags.`{CAMPAIGN}` = '{arm.name}' and tags.`{ARM}` = '{arm.kind}'"
    found = client.search_runs([experiment.experiment_id], chosen, max_results=1)
    tags = {CAMPAIGN: arm.name, KIND: arm.kind, ARM: arm.kind, "mlflow.runName": arm.title, **arm.tags}
    start = began or None
    run = found[0] if found else client.create_run(experiment.experiment_id, start_time=start, tags=tags)
    _log(client, run, params={k: v for k, v in arm.parameters.items() if k not in run.data.params})
    return run


def _send(client: "MlflowClient", arms: Sequence[_Known], entry: Entry) -> "Run":
    """Send a round and return its run, which is not FINISHED yet."""
    parent = arms[0].run
    tags = {CAMPAIGN: parent.data.tags[CAMPAIGN], INDEX: str(entry.index)}
    run = _child(client, parent, tags | {KIND: "round"}, f"round {entry.index}", entry.began)
    _log(client, run, entry.points, entry.parameters, entry.ended)
    for stage in entry.stages:
        child = _child(client, run, tags | {KIND: "stage"}, stage.name, entry.began)
        _log(client, child, stage.points, stage.parameters, entry.ended)
        client.set_terminated(child.info.run_id, "FINISHED", entry.ended or None)
    if entry.folder is not None:
        client.log_artifacts(run.info.run_id, str(entry.folder))
        _log_data_sets(client, run, entry.folder, entry.level)
    for arm, points in zip(arms, (entry.points, entry.control), strict=False):
        if entry.index not in arm.rounds:
            _log(client, arm.run, points, when=entry.ended)
    return run


def _tell(client: "MlflowClient", run: "Run", story: Story, last: Entry) -> None:
    """Tell what there is to tell of the whole after a round."""
    for path in story.files:
        if path.exists():
            client.log_artifact(run.info.run_id, str(path))
    if story.data is not None:
        _log_data_sets(client, run, story.data, last.level)
    _log(client, run, tags={**story.tags, **({NOTE: story.note} if story.note else {})})


def _set_state(client: "MlflowClient", run: "Run", ended: bool, when: int) -> None:
    status = "FINISHED" if ended else "RUNNING"
    if ended and run.info.status != status:
        client.set_terminated(run.info.run_id, status, when or None)
    elif run.info.status != status:
        client.update_run(run.info.run_id, status=status)


def _finished_rounds(client: "MlflowClient", parent: "Run", store: Store | None) -> set[int]:
    """Return the rounds that arrived whole, after removing what is there of others."""
    finished = set()
    for run in _children(client, parent):
        if run.info.status == "FINISHED":
            finished.add(int(run.data.tags[INDEX]))
            continue
        for stage in _children(client, run):
            client.delete_run(stage.info.run_id)
        if store is not None:  # first: where the disk is full, that is what makes room
            store.forget_files(run.info.run_id)
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


def _child(client: "MlflowClient", parent: "Run", tags: Mapping[str, str], name: str, began: int) -> "Run":
    given = {**tags, PARENT: parent.info.run_id}
    return client.create_run(parent.info.experiment_id, began or None, given, name)


def _log(
    client: "MlflowClient",
    run: "Run",
    points: Sequence[Point] = (),
    params: Mapping[str, str] | None = None,
    when: int = 0,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Send metrics, parameters and tags in as few requests as the server's limits allow."""
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(point.name, point.value, when, point.step) for point in points]
    rows = [Param(name, text) for name, text in (params or {}).items()]
    said = [RunTag(name, text) for name, text in (tags or {}).items()]
    while metrics or rows or said:
        client.log_batch(
            run.info.run_id, metrics[:POINTS_PER_BATCH], rows[:PARAMETERS_PER_BATCH], said[:TAGS_PER_BATCH]
        )
        metrics, rows, said = (
            metrics[POINTS_PER_BATCH:], rows[PARAMETERS_PER_BATCH:], said[TAGS_PER_BATCH:],
        )  # fmt: skip


def _log_data_sets(client: "MlflowClient", run: "Run", folder: Path, level: str) -> None:
    """Tell of the data sets in a folder: their hash, their level of theory, and what they are for."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for path in sorted(folder.glob("*.extxyz")):
        content = path.read_bytes()
        dataset = Dataset(
            name=f"{path.stem} {level}".strip(),
            digest=blake2b(content, digest_size=8).hexdigest(),
            source_type="local",
            source=json.dumps({"uri": path.resolve().as_uri()}),
            profile=json.dumps({"bytes": len(content)}),
        )
        tags = [InputTag("mlflow.data.context", path.stem), InputTag("level", level)]
        inputs.append(DatasetInput(dataset, tags))
    if inputs:
        client.log_inputs(run.info.run_id, inputs)
