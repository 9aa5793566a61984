"""What a report says of a selection from a file."""

from collections.abc import Iterator, Sequence

import numpy as np

from fidsel.campaign.selection.loop import additions
from fidsel.campaign.selection.settings import SelectionRound
from fidsel.campaign.selection.task import Task
from fidsel.report import Picked, Report, describe_clusters
from fidsel.report.pictures.plot import LearningCurve


def selection_report(
    task: Task,
    rounds: Sequence[SelectionRound],
    control: Sequence[SelectionRound],
    title: str,
    arm: str = "selection",
) -> Report:
    """Return the report of the rounds that are done.

    Errors by cluster are those of the held-out frames, before (round 0) and after; clusters are described
    by all frames of the file that have labels and are not trained on.

    Parameters
    ----------
    arm : what the selection is called beside its control arm.
    """
    measured = [one for one in rounds if one.held_out is not None]
    names = (f"round {measured[0].index}", f"round {measured[-1].index}")
    kept = [one for one in rounds if one.index <= measured[-1].index]
    trained = np.concatenate(additions(task, kept))
    unseen = np.setdiff1d(np.flatnonzero(task.division.labelled), trained)
    found = task.learn(additions(task, kept)).errors
    described = describe_clusters(
        task.frames[unseen],
        task.space.clusters[1][unseen],
        found[unseen],
        features=task.space.features[unseen],
        rows=unseen,
    )
    return Report(
        title,
        facts=tuple(_facts(task, rounds)),
        errors=measured[-1].clusters,
        before=measured[0].clusters if len(measured) > 1 else None,
        names=names,
        curves=(*_curve(arm, rounds), *_curve("control arm: random frames", control)),
        spend="labels",
        quantity="held-out force RMSE" if task.space.forces else "held-out energy RMSE",
        clusters=described,
        picks=tuple(_picked(rounds)),
        notes=tuple(f"round {one.index}: {note}" for one in rounds for note in one.notes),
        unit=task.unit,
    )


def _curve(name: str, rounds: Sequence[SelectionRound]) -> tuple[LearningCurve, ...]:
    points = [(one.labels, one.held_out.error("rmse")) for one in rounds if one.held_out is not None]
    if not points:
        return ()
    labels, errors = zip(*points, strict=True)
    return (LearningCurve(name, tuple(float(n) for n in labels), tuple(errors)),)


def _facts(task: Task, rounds: Sequence[SelectionRound]) -> Iterator[tuple[str, str]]:
    last = next(one for one in reversed(rounds) if one.held_out is not None)
    yield "molecule", task.frames.formulas[0]
    yield "frames", f"{len(task.division.pool)} in the pool, {len(task.division.held_out)} held out"
    yield "labels trained on", str(last.labels - len(last.probes))
    for name, found in (("held out", last.held_out), ("rest of the pool", last.pool)):
        if found is not None:
            yield f"RMSE, {name}", f"{1000 * found.error('rmse'):.4g} m{task.unit} ({found.frames} frames)"
            if found.worst is not None:
                yield f"five worst clusters, {name}", f"{1000 * found.worst:.4g} m{task.unit}"
    if rounds[-1].stop:
        yield "stopped", str(rounds[-1].stop)


def _picked(rounds: Sequence[SelectionRound]) -> Iterator[Picked]:
    for one in rounds:
        for pick in one.picks:
            yield Picked(str(pick.row), pick.cluster, pick.reason, one.index)
