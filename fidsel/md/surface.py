"""Energies and forces of many replicas of one molecule at once."""

import logging
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError

if TYPE_CHECKING:
    from fidsel.fidelity.source import LabelSource
    from fidsel.models.combinations.labels import SourceLabels
    from fidsel.models.contract import ForceField, Surface

LOG = logging.getLogger(__name__)


Labelled: TypeAlias = "LabelSource | SourceLabels"
"""A label source, or labels of one that are counted or computed by an engine."""


def surface_of(model: "ForceField | Labelled", like: Frames) -> "Surface":
    """Return the surface of a model for batches of the atoms, charge and spin of `like`.

    A model of fidsel's predicts a batch at once; any other label source labels one frame after the other,
    and a frame that it cannot label has NaN for energy and forces.

    Raises
    ------
    UsageError
        for a source without forces.
    FidselError
        where a source cannot label the first frame.
    """
    from fidsel.models.contract import ForceField

    return model.surface(like) if isinstance(model, ForceField) else _labelled(model, like)


def _labelled(source: Labelled, like: Frames) -> "Surface":
    from fidsel.models.combinations.labels import BaselineError, SourceLabels

    numbers, given = like.dense().numbers, {"charge": int(like.charge[0]), "spin": int(like.spin[0])}
    if not isinstance(source, SourceLabels):
        if not source.forces:
            raise UsageError("dynamics and relaxation need forces, and this source gives none: take another")
        source = SourceLabels(source)
    labels = source
    try:
        labels.of(like[:1])
    except BaselineError as error:
        raise FidselError(f"the source cannot label the first frame: {error.failed[0]}") from error

    def surface(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        frames = Frames.stack(numbers, positions, **given)
        energy, forces = np.full(len(frames), np.nan), np.full(positions.shape, np.nan)
        good = np.ones(len(frames), dtype=bool)
        try:
            found = labels.of(frames)
        except BaselineError as error:
            good[list(error.failed)] = False
            LOG.warning("%s", error)
            found = labels.of(frames[good])  # these are remembered
        energy[good], forces[good] = found.energy, found.forces.reshape(-1, *positions.shape[1:])
        return energy, forces

    return surface
