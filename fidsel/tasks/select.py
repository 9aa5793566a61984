"""A selection from files of frames, without a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.campaign.rounds.training import placeless
from fidsel.campaign.selection.learner import learner
from fidsel.campaign.selection.picks_file import read_known, read_rounds
from fidsel.campaign.selection.settings import Selection, divide, has_labels
from fidsel.campaign.selection.task import Task, Twin
from fidsel.campaign.settings import Reporter, silent, tells
from fidsel.config.load import check_config, listed
from fidsel.config.models import Model
from fidsel.config.recipes import StageSection
from fidsel.config.selectors import Selector, SelectorSection, register_own
from fidsel.config.strict import Strict
from fidsel.data import Frames
from fidsel.data.atomic import require_ending, require_writable
from fidsel.data.checks.finding import few
from fidsel.data.label_file import LabelFile, Labels, Say, logged, paths_read
from fidsel.data.lookup import Lookup, in_order_of
from fidsel.data.units import Units
from fidsel.exceptions import UsageError
from fidsel.models import ForceField
from fidsel.models.watch import QUIET, Watch
from fidsel.selector import (
    ErrorSource,
    Picker,
    Random,
    Reduced,
    error_source,
    make_descriptor,
    needs_covariance,
    needs_errors,
)
from fidsel.selector.step import Step
from fidsel.selector.stopping import Stopping
from fidsel.tasks.baseline import file_baseline, named_baseline
from fidsel.tasks.file_selection import FileSelection, Request
from fidsel.tasks.model_files import require_units_used
from fidsel.training.recipes.standard import STAGE


class SelectConfig(Strict):
    """The sections of fidsel.toml that a selection needs."""

    model: Model
    """The force field."""
    selector: Selector
    """The picker."""
    stage: StageSection = StageSection()
    """How networks are trained in each round."""


def open_selection(request: Request, watch: Watch = QUIET) -> FileSelection:
    """Read the files of a selection and return it, with the rounds that are done.

    Raises a `UsageError` where files, settings and models do not fit together, labels are wrong (see
    docs/checks.md), or `request.out` holds another selection or cannot be written; see `require_writable`.
    """
    require_ending(request.out, "a file of picks", ".npz")
    require_writable(request.out, read=paths_read(request.pool, request.cheap))
    config = checked(request)
    section, frames = config.selector, request.pool.read("accurate")
    odd, known = request.pool.check(frames), known_labels(request.out, frames)
    picker, model = section.build(request.root), config.model.build(request.root)
    kind = error_kind(section, picker, np.flatnonzero(~known), request.cheap is not None)
    source = error_source(kind or "reference")
    seed, stage, twin = request.selection.seed, config.stage.applied(STAGE), None
    below = config.model.baseline
    beneath = None if below is None else file_baseline(below, frames)
    learner_of = partial(learner, model, seed=seed, stage=stage, baseline=beneath)
    require_covariance(picker, model(seed))
    if kind is not None:
        refuse_unable(source, model(seed))
        if source.needs_cheap:
            cheap, more = cheap_labels(request.cheap, frames)
            odd += more
            twin = Twin(cheap, learner_of(cheap, watch=watch.part("cheap")))
    learns = learner_of(frames, watch=watch)
    numbers = replace(
        request.selection,
        size=section.per_round or request.selection.size,
        probes=section.probes,
        clusters=section.clusters,
        energy_clusters=section.energy_clusters,
    )
    first = None
    if section.descriptor == "latent":
        first = learns.learn([divide(frames, numbers, known).start])
    described = features(section.descriptor, frames, first)
    task = Task.of(frames, described, learns, Step(picker, source), numbers, twin=twin, known=known)
    same = settings(task, config, kind)
    compared = request.control and bool(known.all()) and not isinstance(picker, Random)
    arm = task.control_arm() if compared else None
    return FileSelection(request, task, same, odd, arm, *read_rounds(request.out, same))


def checked(request: Request) -> SelectConfig:
    """Return the settings of a request.

    Raises a `UsageError` where they are not valid.
    """
    values: dict[str, Any] = {"model": {"kind": request.model}, "selector": {"kind": request.picker}}
    if request.baseline is not None:
        values["model"]["baseline"] = named_baseline(request.baseline)
    if request.error is not None:
        values["selector"]["error"] = request.error
    config = check_config(SelectConfig, values, request.overrides, "the request")
    register_own(config.selector, request.root)
    return config


def refuse_unable(source: ErrorSource, model: ForceField) -> None:
    """Raise a `UsageError` where a model cannot tell what an error source asks for."""
    if source.needs_committee and not model.disagrees:
        raise UsageError(
            f"error = {source.name!r} needs models that can disagree, a {model.kind} model is one: take "
            "model 'ensemble', or error = 'probe'"
        )
    if source.needs_network and not model.has_latent:
        raise UsageError(
            f"error = {source.name!r} needs a network, a {model.kind} model has no latent features: take "
            "model 'painn', or error = 'probe'"
        )


def require_covariance(picker: Picker, model: ForceField) -> None:
    """Raise a `UsageError` where a picker asks for a covariance that a model has not."""
    if needs_covariance(picker) and not model.has_covariance:
        raise UsageError(
            f"picking by variance reduction needs a kernel, a {model.kind} model has no covariance: take "
            "model 'sgdml', or another picker"
        )


def select_files(
    pool: Labels,
    *,
    model: str = "sgdml",
    picker: str = "cluster-error",
    error: str | None = None,
    cheap: Labels | None = None,
    settings: Sequence[str] = (),
    start: int | None = Selection.start,
    size: int = Selection.size,
    rounds: int = Selection.rounds,
    holdout: float = Selection.holdout,
    seed: int = Selection.seed,
    stopping: Stopping | None = None,
    control: bool = True,
    units: str | Units | None = None,
    trust_labels: bool = False,
    out: Path | str = "picks.npz",
    track: str | None = None,
    report: Reporter = silent,
    say: Say = logged,
) -> FileSelection:
    """Pick frames where the model is wrong, train on them, measure, and repeat; return what was done.

    Raises a `UsageError` where pool, settings and models do not fit together, or `out` holds another
    selection.

    Parameters
    ----------
    pool, model, picker, error, cheap, control, out, track : see `Request`.
    settings : `model.key=value`, `selector.key=value` and `stage.key=value`.
    start, size, rounds, holdout, seed, stopping : see `Selection`.
    units : "energy,length" of the files, in place of what they state.
    trust_labels : whether labels that look wrong are trained on all the same.
    report : hears how far each training is.
    say : hears what is odd about the labels; by default the log.

    Examples
    --------
    >>> import tempfile
    >>> from fidsel.testing import example_frames
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = select_files(
    ...         example_frames(60),
    ...         settings=["model.sigmas=[10]"],
    ...         start=10,
    ...         size=5,
    ...         rounds=1,
    ...         out=f"{folder}/picks.npz",
    ...     )
    >>> [one.labels for one in found.rounds], len(found.rounds[1].picks)
    ([10, 15], 5)
    """
    request = Request(
        pool=LabelFile.of(pool, units, trusted=trust_labels),
        model=model,
        picker=picker,
        error=error,
        cheap=None if cheap is None else LabelFile.of(cheap, units, trusted=trust_labels),
        overrides=listed(settings),
        selection=Selection(start, size, rounds, holdout, seed=seed, stopping=stopping or Stopping()),
        control=control,
        out=Path(out).absolute(),
        track=track,
        root=Path.cwd(),
    )
    require_units_used(units, None, request.pool, request.cheap)
    found = open_selection(request, Watch(tells(report, "training")))
    for text in found.odd:
        say(text)
    for _ in found.run():
        pass
    return found


def features(name: str, frames: Frames, model: ForceField | None) -> FloatArray:
    """Return the descriptor (n, d) of frames; SOAP's thousands of features on their principal components."""
    descriptor = make_descriptor(name, frames, model)
    return (Reduced.fit(descriptor, frames) if name == "soap" else descriptor)(frames)


def cheap_labels(file: LabelFile | None, frames: Frames) -> tuple[Frames, tuple[str, ...]]:
    """Return the cheap labels of the frames of a pool, in their order, and what is odd about them.

    Raises a `UsageError` where there is no file, no cheap label for some frames, or labels are wrong.
    """
    if file is None:
        raise UsageError("error = 'cheap' needs cheap labels of the pool: give --cheap FILE")
    cheap = in_order_of(frames, file.read("cheap"))
    odd = file.check(cheap)
    rows = Lookup(cheap).find(frames)
    if (lost := (rows < 0) | ~has_labels(cheap)[rows]).any():
        raise UsageError(
            f"{file.text} has no cheap label for {lost.sum()} of {len(frames)} frames of the pool: label "
            "these too, or take another source of errors"
        )
    return cheap[rows], odd


def settings(task: Task, config: SelectConfig, error: str | None) -> Mapping[str, Any]:  # Any: plain values
    """Return what makes two selections the same; one may have more rounds, or run on another device."""
    numbers = {name: value for name, value in asdict(task.selection).items() if name != "rounds"}
    begun = with_labels(task.frames, task.division.known).digest()
    kept = {"frames": begun, "cheap": None if task.twin is None else task.twin.frames.digest()}
    return {**kept, "error": error, **numbers, **placeless(config.model_dump(mode="json"))}


def known_labels(path: Path, frames: Frames) -> BoolArray:
    """Return (n,) True for frames with labels now, or when the selection kept in a file began.

    Labels that come later change neither what the selection started from nor what it has done.
    """
    now, then = has_labels(frames), read_known(path)
    if then is None or len(then) != len(now) or (then & ~now).any():
        return now
    return then


def with_labels(frames: Frames, rows: BoolArray) -> Frames:
    """Return frames with labels where `rows` (n,) is True alone."""
    atoms = np.repeat(rows, frames.sizes)
    return frames.replace(
        energy=np.where(rows, frames.energy, np.nan), forces=np.where(atoms[:, None], frames.forces, np.nan)
    )


def error_kind(section: SelectorSection, picker: Picker, missing: IntArray, cheap: bool) -> str | None:
    """Return where errors of candidates come from, None for pickers that look at none.

    Raises a `UsageError` for settings that would change nothing, and where errors cannot be had without being
    told how.

    Parameters
    ----------
    section, picker : what was asked for.
    missing : rows of frames without labels.
    """
    if section.coverage is not None:
        raise UsageError("selector.coverage is of campaigns: take --cluster-target and --coverage")
    if not needs_errors(picker):
        if section.error is not None or cheap:
            raise UsageError(
                f"picker {section.kind!r} looks at no errors: leave --error and --cheap out, or take another "
                "picker (with 'lcmd' selector.weights=errors)"
            )
        return None
    if cheap and section.error != "cheap":
        raise UsageError("cheap labels are for --error cheap: give that too, or leave --cheap out")
    if section.error is None and len(missing):
        raise UsageError(
            f"{len(missing)} frames have no finite label ({few(missing.tolist())}), so errors of candidates "
            "cannot be looked up: leave these frames out, take --error committee (with --model ensemble), "
            "probe or cheap, or a picker that looks at no errors"
        )
    return section.error or "reference"
