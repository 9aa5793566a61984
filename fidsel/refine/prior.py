"""Priors: what computes cheap labels of any molecule, and what it says of a system's frames."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from fidsel.arrays import IntArray, shown
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import from_frames
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.models.combinations.labels import BaselineError, SourceLabels
from fidsel.refine.system import systems

Prior = Callable[[Frames], LabelSource]
"""What makes the label source for the frames of one system: a force field needs its bonds."""

ENOUGH: Final = 0.5
"""Part of the frames of a system that a prior must label."""
NOTHING: Final = 1e-6
"""eV/Å, largest force of a prior above a baseline that is the same."""


class PriorError(FidselError):
    """A prior says too little of a system to refine a model by."""


@dataclass(frozen=True, eq=False)
class PriorLabels:
    """What a prior says of the frames of a system.

    Parameters
    ----------
    rows : (k,) of the frames it could label.
    frames : these, with its labels.
    failed : how many it could not.
    why : of the first of these.
    """

    rows: IntArray
    frames: Frames
    failed: int = 0
    why: str = ""
    __repr__ = shown


def prior_labels(prior: Prior, frames: Frames, level: str) -> PriorLabels:
    """Return the labels of a prior for the frames of one system.

    Parameters
    ----------
    prior : makes the source.
    frames : of one system.
    level : name of the prior's level of theory in the labels.

    Raises
    ------
    PriorError
        where the prior cannot treat the system, or fails for half of its frames or more.
    """
    kept, failed = np.arange(len(frames)), {}
    try:
        labels = SourceLabels(prior(frames))
        found = labels.of(frames)
    except BaselineError as error:
        failed = error.failed
        kept = np.setdiff1d(np.arange(len(frames)), list(failed))
        if len(kept) <= ENOUGH * len(frames):
            first = failed[min(failed)]
            raise PriorError(
                f"the prior failed for {len(failed)} of {len(frames)} frames: {first}"
            ) from error
        found = labels.of(frames[kept])
    except UsageError as error:
        raise PriorError(f"the prior cannot treat it: {error}") from error
    why = str(failed[min(failed)]) if failed else ""
    labelled = frames[kept].replace(energy=found.energy, forces=found.forces, level=level)
    return PriorLabels(kept, labelled, len(failed), why)


def above(labels: PriorLabels, below: SourceLabels | None) -> PriorLabels:
    """Return the labels of a prior less those of a baseline, if there is one.

    Raises a `PriorError` where nothing is left: the prior is the baseline.
    """
    if below is None:
        return labels
    rest = below.subtract(labels.frames)
    if np.abs(rest.forces).max(initial=0.0) < NOTHING:
        raise PriorError("the prior is the baseline of this model, above which it says nothing")
    return replace(labels, frames=rest)


def labels_of_systems(
    prior: Prior, frames: Frames, level: str, below: SourceLabels | None = None
) -> tuple[Frames, str]:
    """Return frames of several systems with the labels of a prior, less those of a baseline.

    Beside them stands why the first of the others has none; "" = all have one.

    Systems that the prior cannot treat, and frames that it fails for, are left out.

    Parameters
    ----------
    prior : makes the source for the frames of one system.
    level : name of the prior's level of theory in the labels.
    below : the baseline.
    """
    found, why = frames[:0], ""
    for system in systems(frames):
        try:
            own = above(prior_labels(prior, frames[system.rows].unlabelled(), level), below)
        except PriorError as error:
            why = why or f"{system.name}: {error}"
            continue
        found += own.frames
        why = why or (own.failed and f"{system.name}: the prior failed for some frames: {own.why}") or ""
    return found, why


def mmff94(frames: Frames) -> LabelSource:
    """Return MMFF94 with the bonds of a molecule, see `from_frames`; it must have a type for each atom."""
    return MMFFSource(from_frames(frames))


def always(source: LabelSource) -> Prior:
    """Return the prior that has one source for all systems."""
    return lambda frames: source  # noqa: ARG005 - whatever the frames
