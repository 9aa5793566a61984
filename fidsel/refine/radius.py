"""Radius refinement: the cutoff at which a system's graph looks most like those of training."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from fidsel.arrays import evenly
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.refine.spectrum import MeanSpectrum, Measure

GRID: Final = tuple(np.linspace(3.0, 9.0, 10).round(6).tolist())
"""Å, cutoffs that are tried beside that of training."""
FRAMES: Final = 100
"""Frames that a spectrum is averaged over at most, evenly taken from all."""
ALIKE: Final = 1e-9
"""Difference of two distances below which they are equal."""


@dataclass(frozen=True)
class Radius:
    """The cutoff chosen for a system, and the curve d(r) behind the choice.

    Parameters
    ----------
    chosen, trained : Å, the cutoff of the smallest distance and that of training.
    radii : Å, ascending, that of training among them.
    distances : of the system's mean spectrum at each from that of training.
    measure : of distances.
    """

    chosen: float
    trained: float
    radii: tuple[float, ...]
    distances: tuple[float, ...]
    measure: Measure

    @property
    def moved(self) -> bool:
        """Whether another cutoff than that of training was chosen."""
        return self.chosen != self.trained

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def choose_radius(frames: Frames, training: MeanSpectrum, measure: Measure = "wasserstein") -> Radius:
    """Return the cutoff r* = argmin_r d(λ(r), λ̄) for a system, once for all its frames.

    λ̄ is the mean spectrum of the training frames at the training cutoff, λ(r) that of the system's frames
    at r (Kreiman & Krishnapriyan, arXiv 2503.08674, algorithm 1). The training cutoff is always tried, and
    of equal distances it counts: small molecules are complete graphs at every large cutoff.

    Parameters
    ----------
    frames : of one system.
    training : see `training_spectrum`.
    measure : see `MeanSpectrum.distance`.
    """
    some = thinned(frames)
    radii = sorted({*GRID, training.cutoff})
    distances = [MeanSpectrum.of(some, radius).distance(training, measure) for radius in radii]
    least = min(distances) + ALIKE
    own = distances[radii.index(training.cutoff)]
    chosen = training.cutoff if own <= least else radii[int(np.argmin(distances))]
    return Radius(chosen, training.cutoff, tuple(radii), tuple(distances), measure)


def training_spectrum(frames: Frames, cutoff: float) -> MeanSpectrum:
    """Return the mean spectrum of training frames at the training cutoff, Å.

    Raises
    ------
    UsageError
        without frames.
    """
    if not len(frames):
        raise UsageError("the spectrum of training needs training frames, got none")
    return MeanSpectrum.of(thinned(frames, 20 * FRAMES), cutoff)


def thinned(frames: Frames, most: int = FRAMES) -> Frames:
    """Return at most so many frames, evenly taken from all."""
    return frames[evenly(len(frames), most)]
