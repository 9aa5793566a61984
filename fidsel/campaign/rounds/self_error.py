"""What a model itself tells about its error: its members disagree, frames are far from training ones."""

from functools import reduce

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import Baseline, Ensemble, ForceField, NetworkForceField, Sum
from fidsel.selector import mean_latent


def disagreement(model: ForceField, frames: Frames, forces: bool) -> FloatArray:
    """Return (n,) how far the members of a committee disagree: eV/Å of forces, or eV of energies.

    Committees that add up, such as a surrogate and its correction, were made independently: s² = Σ_k s_k².

    Raises
    ------
    UsageError
        where no part of the model is an ensemble.
    """
    found = [part.disagreement(frames) for part in _parts(model) if isinstance(part, Ensemble)]
    if not found:
        raise UsageError(
            f"the error source 'committee' needs models that can disagree, this one is a {model.kind!r}: "
            "take model.kind = 'ensemble'"
        )
    return reduce(np.hypot, [part.frame_forces if forces else part.energy for part in found])


def latent(model: ForceField, frames: Frames) -> FloatArray:
    """Return (n, d) latent features of each frame, those of the model's networks side by side.

    Raises
    ------
    UsageError
        where no part of the model is a network or an ensemble of networks.
    """
    networks = [part for part in _parts(model) if isinstance(part, NetworkForceField | Ensemble)]
    if not networks:
        raise UsageError(
            f"the error source 'latent' needs a network's features, this model is a {model.kind!r}: take "
            "model.kind = 'painn'"
        )
    return np.concatenate([mean_latent(part.latent(frames), frames) for part in networks], axis=1)


def _parts(model: ForceField) -> tuple[ForceField, ...]:
    """Return the models that add up to a model; a baseline is none of them."""
    match model:
        case Sum() | Baseline():
            return tuple(part for one in model.parts for part in _parts(one))
    return (model,)
