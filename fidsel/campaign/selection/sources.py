"""What makes the error source of each round of a selection, by the name of the source."""

import numpy as np

from fidsel.campaign.selection.loop import Situation, Source
from fidsel.campaign.selection.twin import Twin
from fidsel.data import Frames
from fidsel.exceptions import UsageError, unknown
from fidsel.models.contract import ForceField
from fidsel.selector.descriptors.distances import mean_latent
from fidsel.selector.error_sources.latent import Latent
from fidsel.selector.error_sources.sources import Cheap, Committee, Probe, Reference
from fidsel.selector.pool import ErrorSource

KINDS = ("reference", "cheap", "probe", "committee", "latent")


def build_source(kind: str | None, frames: Frames, model: ForceField, twin: Twin | None) -> Source | None:
    """Return what makes the error source of each round, None for pickers that look at no errors.

    Parameters
    ----------
    kind : "reference" (labels are known), "cheap" (a twin's errors), "probe" (a few labels per cluster),
        "committee" (disagreement of an ensemble) or "latent" (distance in a network's latent space).
    frames : of the file.
    model : an untrained one, to tell whether it can do what the source asks for.
    twin : of the cheap level.

    Raises
    ------
    UsageError
        where the kind is unknown, or the model cannot do what it asks for.
    """
    if kind is None:
        return None
    if kind not in KINDS:
        raise unknown("error source", kind, KINDS)
    if kind == "committee" and not model.disagrees:
        raise UsageError(
            f"error = 'committee' needs models that can disagree, a {model.kind} model is one: take model "
            "'ensemble', or error = 'probe'"
        )
    if kind == "latent" and not model.has_latent:
        raise UsageError(f"error = 'latent' needs a network, a {model.kind} model has no latent features")
    if kind == "cheap" and twin is None:
        raise UsageError("error = 'cheap' needs cheap labels of the pool")

    def source(now: Situation) -> ErrorSource:
        here = frames[now.candidates]
        if kind == "committee":
            return Committee(now.model.disagreement(here).frame_forces)
        if kind == "latent":
            trained = frames[np.concatenate(now.additions)]
            return Latent(
                mean_latent(now.model.latent(here), here), mean_latent(now.model.latent(trained), trained)
            )
        if twin is not None and kind == "cheap":
            return Cheap(twin.errors(now.additions, now.candidates))
        return Reference() if kind == "reference" else Probe()

    return source
