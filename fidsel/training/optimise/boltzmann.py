"""Whether configurations were drawn at the temperature that somebody says."""

from dataclasses import dataclass

import numpy as np
from ase.units import kB

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.training.optimise.score import frame_terms

BLOCKS = 20
"""Runs of consecutive frames whose spread gives the standard error, so that neighbours may be alike."""
DIRECTIONS = 4
"""Random directions per frame: the trace then adds less to the error than the frames do."""
TOLERANCE = 0.2
"""Relative difference of temperatures that a model's own error explains."""


@dataclass(frozen=True)
class BoltzmannCheck:
    """The temperature that configurations show, beside the one that was given.

    Parameters
    ----------
    given : K.
    found : K, configurational temperature.
    error : K, its standard error from the number of configurations alone.
    """

    given: float
    found: float
    error: float

    def warning(self) -> str | None:
        """Return what to worry about, if anything."""
        if abs(self.found - self.given) <= max(TOLERANCE * self.given, 2 * self.error):
            return None
        return (
            f"the configurations look as if drawn at {self.found:.0f} ± {self.error:.0f} K, the temperature "
            f"given is {self.given:.0f} K, and forces scale with it: give the right one, or leave out frames "
            "that are no thermal sample"
        )

    def report(self) -> dict[str, float]:
        """Return plain values for a record."""
        return {"given": self.given, "found": self.found, "standard_error": self.error}


def boltzmann_check(
    model: NetworkForceField, frames: Frames, temperature: float, *, most: int = 400, seed: int = 0
) -> BoltzmannCheck:
    """Return the configurational temperature kT = ⟨‖∇E‖²⟩ / ⟨∇²E⟩ of configurations.

    For any Boltzmann distribution ⟨∇·F⟩ = −⟨‖F‖²⟩/kT (integration by parts; Butler et al. 1998,
    DOI 10.1063/1.477301). Both averages are over all coordinates and do not change with translation
    or rotation of a frame, so these may have been removed. Forces and their slope are a model's, so the
    error of its curvature comes on top of the standard error.

    A thermostat that counts the momenta of translation and rotation, in dynamics that have none, heats the
    rest to T·3N/(3N − 6): 640 K for the malonaldehyde of MD17, which is said to be at 500 K. Raises a
    `UsageError` for fewer than two frames.

    Parameters
    ----------
    model : trained on accurate labels, and not on these configurations.
    frames : in the order of their trajectories.
    temperature : K, said to be theirs.
    most : frames looked at, evenly spread.
    seed : decides the directions that estimate ∇²E.
    """
    if len(frames) < 2:
        raise UsageError(f"the temperature of a sample needs at least two frames, got {len(frames)}")
    rows = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))
    terms = [frame_terms(model, frames[rows], seed + i) for i in range(DIRECTIONS)]
    square, trace = np.mean(terms, axis=0)
    kt, error = _ratio(square, -trace)
    return BoltzmannCheck(temperature, kt / kB, error / kB)


def _ratio(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Return Σa / Σb and its standard error from blocks of consecutive entries."""
    ratio = a.sum() / b.sum()
    blocks = np.array_split(a - ratio * b, min(BLOCKS, len(a)))
    sums = np.array([block.sum() for block in blocks])
    spread = np.sqrt(len(sums) * sums.var(ddof=1))
    return float(ratio), float(spread / abs(b.sum()))
