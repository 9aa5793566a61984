"""What a model itself tells about its error: its members disagree, frames are far from training ones."""

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.models import ForceField
from fidsel.selector import mean_latent


def disagreement(model: ForceField, frames: Frames, forces: bool) -> FloatArray:
    """Return (n,) how far the members of a committee disagree: eV/Å of forces, or eV of energies."""
    found = model.disagreement(frames)
    return found.frame_forces if forces else found.energy


def latent(model: ForceField, frames: Frames) -> FloatArray:
    """Return (n, d) latent features of each frame, those of the model's networks side by side."""
    return mean_latent(model.latent(frames), frames)
