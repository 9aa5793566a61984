"""`refine`: a model for each of some systems, from the common one, without accurate labels."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.combinations.baseline import Baseline
from fidsel.models.combinations.by_system import BySystem, keys
from fidsel.models.combinations.labels import BaselineError, SourceLabels
from fidsel.models.contract import ForceField
from fidsel.models.networks.base import NetworkForceField
from fidsel.refine.adaptation import Adaptation, Adapted, adapt, require_enough
from fidsel.refine.head import with_prior_head
from fidsel.refine.prior import Prior, PriorError, PriorLabels, above, labels_of_systems, prior_labels
from fidsel.refine.radius import Radius, choose_radius, thinned, training_spectrum
from fidsel.refine.record import Compared, Refinement, Status, SystemRecord
from fidsel.refine.spectrum import MeanSpectrum, Measure
from fidsel.refine.system import systems

PUBLISHED: Final = Adaptation()
"""As Kreiman & Krishnapriyan have it."""
TRIED: Final = 20
"""Training frames on which a prior is compared with the head for it."""
Say = Callable[[str, int, int], None]
"""Hears of a system, its number and how many there are."""
STRANGE: Final = 0.5
"""Part of the forces of a prior by which a head that has learnt it may be off there."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a model is refined by.

    Parameters
    ----------
    prior : makes the source of cheap labels; None = no test-time training.
    head : level of the model's head for it; None = the only one beside the default.
    training : frames it was trained on, whose graphs a cutoff is chosen by; None = the cutoff stays.
    measure : of distances between graphs, see `MeanSpectrum.distance`.
    how : the steps on the prior.
    """

    prior: Prior | None = None
    head: str | None = None
    training: Frames | None = None
    measure: Measure = "wasserstein"
    how: Adaptation = PUBLISHED

    def __post_init__(self) -> None:
        if self.prior is None and self.training is None:
            raise UsageError(
                "a model is refined by a prior, by the graphs of its training frames, or by both: got neither"
            )


def refine(
    model: ForceField,
    frames: Frames,
    means: Means,
    *,
    seed: int = 0,
    say: Say = lambda *_: None,
) -> Refinement:
    """Return the model refined for each system of some frames; the model itself stays as it is.

    A network of one head gets another for the prior first, where training frames are given, see
    `with_prior_head`. Each system starts from the unrefined model. Its cutoff is chosen, where training
    frames are given; with a prior, it counts only if the prior's head is not worse there. Then embeddings and
    first block take steps on the prior, see `adapt`. A system that cannot be refined keeps the unrefined
    model and says why; one that the model cannot predict is refused and says why, and the others go on.

    Parameters
    ----------
    model : a network, or a baseline plus one: then the network learns what the prior is above the baseline.
    frames : of one or several systems; labels are only compared with.
    means : what it is refined by.
    seed : decides batches and frames held out.
    say : hears of each system.

    Raises
    ------
    UsageError
        without frames, for a model without a network to refine or one that was never trained, for one
        without a head for the prior where no training frames are given, and for one that does not know it.
    """
    if not len(frames):
        raise UsageError("there is nothing to refine a model for: got no frames")
    network, below = _network(model)
    if not network.references[network.levels.index(network.level)].per_element:
        raise UsageError(f"this {network.kind} model was never trained, so there is nothing to refine")
    network, head, notes = _with_head(network, below, means, seed, say)
    graphs = None
    if means.training is not None:
        graphs = training_spectrum(means.training, network.network.reach)
    refined: dict[str, ForceField] = {}
    records, errors = [], np.full(len(frames), np.nan)
    found = systems(frames)
    for number, system in enumerate(found):
        say(f"refining {system.name}", number, len(found))
        own = frames[system.rows]
        try:
            lacking = own if below is None else below.subtract(own)
        except (UsageError, BaselineError) as error:
            records.append(SystemRecord(system.name, len(own), "refused", (str(error),)))
            continue
        work = _System(lacking, network, head, below, list(notes))
        record, errors[system.rows] = _refined(network, work, system.name, means, graphs, seed)
        records.append(record)
        if record.status == "refined":
            refined[keys(own[:1])[0]] = work.model if below is None else Baseline(work.model, below)
    say("refining", len(found), len(found))
    return Refinement(BySystem(model, refined), tuple(records), errors)


def _network(model: ForceField) -> tuple[NetworkForceField, SourceLabels | None]:
    """Return the network that is refined, and the baseline beneath it, if there is one.

    Raises a `UsageError` where there is no network, or its baseline has no source.
    """
    if isinstance(model, NetworkForceField):
        return model, None
    if isinstance(model, Baseline) and isinstance(model.correction, NetworkForceField):
        if model.baseline is None:
            raise UsageError(
                "the baseline of this model has no source, without which nothing can be compared: use the "
                "copy that with_source(source) returns"
            )
        return model.correction, model.baseline
    if isinstance(model, BySystem):
        raise UsageError(
            f"this model was refined already, for {len(model.refined)} systems: refine the one that it came "
            "from, for the frames of all systems together (FILE,FILE ...)"
        )
    inside = f" of {model.correction.kind}" if isinstance(model, Baseline) else ""
    raise UsageError(
        f"refinement adapts a network, alone or above a baseline, and a {model.kind} model{inside} has none: "
        "train a network with heads"
    )


def head_of(model: NetworkForceField, head: str | None) -> str:
    """Return the level of the head for a prior: the given one, or the only one beside the default.

    Raises
    ------
    UsageError
        where there is none, or several and none is named.
    """
    others = [level for level in model.levels if level != model.level]
    if head is not None and head in others:
        return head
    if head is None and len(others) == 1:
        return others[0]
    if not others:
        raise UsageError(
            "steps on a prior help a model that has learnt it beside its own level, and this one has the "
            f"head {model.level!r} alone: train it with recipe 'ttt-pretrain' or 'ttt-joint' and the labels "
            "of the prior as cheap level, or give the frames it was trained on, and a head is trained by them"
        )
    raise UsageError(f"the head of the prior must be one of {others}, got {head!r}: name it by `head`")


def _with_head(
    model: NetworkForceField, below: SourceLabels | None, means: Means, seed: int, say: Say
) -> tuple[NetworkForceField, str | None, list[str]]:
    """Return a network with a head for the prior, its level, and what is to be said of it.

    Raises a `UsageError` where there is none, or it does not know the prior.
    """
    prior, training = means.prior, means.training
    if prior is None:
        return model, None, []
    advice, notes = "take the prior it has learnt, or name its head by `head`", []
    if training is not None and means.head is None and len(model.levels) == 1:
        say("training a head for the prior", 0, 1)
        model = with_prior_head(model, training, prior, below, seed=seed)
        advice = "the network cannot express this prior: train one with recipe 'ttt-joint'"
        notes.append("a head for the prior was trained first, on the network as it was")
    head = head_of(model, means.head)
    if training is not None:
        notes += _require_the_prior(model, below, head, prior, training, advice)
    return model, head, notes


def _require_the_prior(
    model: NetworkForceField,
    below: SourceLabels | None,
    head: str,
    prior: Prior,
    training: Frames,
    advice: str,
) -> list[str]:
    """Raise a `UsageError` where the head does not know the prior on the frames it was trained on.

    Return what is to be said of training frames that the prior does not label.

    Steps lower the loss of a prior that the model has not learnt as well, to the harm of its main head.
    """
    tried = thinned(training, TRIED)
    labels, why = labels_of_systems(prior, tried, head, below)
    lacking = len(tried) - len(labels)
    notes = [f"the prior has no label for {lacking} of {len(tried)} training frames ({why})"] if why else []
    if not len(labels):  # of which each system to be refined tells
        return notes
    gap = float(np.linalg.norm(model.predict(labels, head).forces - labels.forces, axis=1).mean())
    size = float(np.linalg.norm(labels.forces, axis=1).mean())
    if gap > STRANGE * size:
        raise UsageError(
            f"the head {head!r} is off by {gap:.3g} eV/Å from this prior, whose forces are of {size:.3g}, on "
            f"frames that it was trained on: {advice}"
        )
    return notes


@dataclass
class _System:
    """A system on its way: its frames above the baseline, the network so far, and what there is to tell."""

    frames: Frames
    model: NetworkForceField
    head: str | None
    below: SourceLabels | None = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def clock(self, what: str) -> Iterator[None]:
        """Note how long something takes."""
        began = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - began

    def force_errors(self) -> FloatArray:
        """Return the MAE of the model on each frame, (n,) eV/Å, NaN without label."""
        gap = np.abs(self.model.predict(self.frames).forces - self.frames.forces)
        return self.frames.mean_per_frame(gap.mean(axis=1))

    def of_prior(self, model: NetworkForceField, labels: PriorLabels) -> FloatArray:
        """Return mean ‖ΔF‖ per atom of the head of the prior on each frame it labelled, (k,) eV/Å."""
        gap = model.predict(labels.frames, self.head).forces - labels.frames.forces
        return labels.frames.mean_per_frame(np.linalg.norm(gap, axis=1))

    def labels(self, prior: Prior | None) -> PriorLabels | None:
        """Return what the prior says; None where there is none, or it cannot treat the system."""
        if prior is None or self.head is None:
            return None
        try:
            found = above(prior_labels(prior, self.frames.unlabelled(), self.head), self.below)
        except PriorError as error:
            self.notes.append(str(error))
            return None
        if found.failed:
            self.notes.append(
                f"the prior failed for {found.failed} of {len(self.frames)} frames: {found.why}"
            )
        return found

    def move_radius(
        self, graphs: MeanSpectrum | None, measure: Measure, labels: PriorLabels | None
    ) -> Radius | None:
        """Choose the cutoff; with a prior, stay where its head is better."""
        if graphs is None:
            return None
        radius = choose_radius(self.frames, graphs, measure)
        moved = self.model.with_cutoff(radius.chosen) if radius.moved else self.model
        if labels is not None and radius.moved:
            here, there = (float(self.of_prior(model, labels).mean()) for model in (self.model, moved))
            if not there <= here:
                self.notes.append(
                    f"a cutoff of {radius.chosen:g} Å was not taken: the head of the prior is off by "
                    f"{there:.3g} eV/Å there, by {here:.3g} at {radius.trained:g} Å"
                )
                return replace(radius, chosen=radius.trained)
        self.model = moved
        return radius

    def enough(self, labels: PriorLabels | None) -> bool:
        """Return whether there are frames enough to change the model by, and note it where there are not."""
        try:
            require_enough(len((self.frames if labels is None else labels.frames).unique()))
        except PriorError as error:
            self.notes.append(str(error))
            return False
        return True

    def take_steps(self, labels: PriorLabels | None, how: Adaptation, seed: int) -> Adapted | None:
        """Adapt the model to the prior."""
        if labels is None:
            return None
        self.model, told = adapt(self.model, labels.frames, how, seed=seed)
        if told.diverged:
            self.notes.append("the steps diverged: lower learning_rate")
        if not told.helped:
            self.notes.append("no step lowered the prior loss on the frames held out: none was taken")
        return told


def _refined(
    model: NetworkForceField,
    system: _System,
    name: str,
    means: Means,
    graphs: MeanSpectrum | None,
    seed: int,
) -> tuple[SystemRecord, FloatArray]:
    """Refine a system; return what was done, and (n,) the prior errors that are left."""
    n, left = len(system.frames), np.full(len(system.frames), np.nan)
    try:
        before = system.force_errors()
    except UsageError as error:
        return SystemRecord(name, n, "refused", (str(error),)), left
    with system.clock("prior"):
        labels = system.labels(means.prior)
    radius = adapted = None
    if (labels is not None or means.prior is None) and system.enough(labels):
        with system.clock("radius"):
            radius = system.move_radius(graphs, means.measure, labels)
        with system.clock("steps"):
            adapted = system.take_steps(labels, means.how, seed)
    pair, own = None, float("nan")
    if labels is not None:
        first = system.of_prior(model, labels)
        left[labels.rows] = first if system.model is model else system.of_prior(system.model, labels)
        pair, own = (float(first.mean()), float(np.nanmean(left))), _prior_mae(system.frames, labels)
    after = before if system.model is model else system.force_errors()
    known = np.isfinite(before)
    compared = Compared(before[known], after[known], own) if known.any() else None
    status: Status = "kept" if system.model is model else "refined"
    notes = tuple(system.notes)
    return SystemRecord(name, n, status, notes, radius, adapted, pair, compared, system.seconds), left


def _prior_mae(frames: Frames, labels: PriorLabels) -> float:
    """Return the MAE of the forces of the prior, eV/Å; NaN where no frame has a label to compare with."""
    own = frames[labels.rows]
    each = own.mean_per_frame(np.abs(labels.frames.forces - own.forces).mean(axis=1))
    return float(each[np.isfinite(each)].mean()) if np.isfinite(each).any() else float("nan")
