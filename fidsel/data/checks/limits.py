"""How far from what is usual a label may be before it cannot be meant."""

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data.checks.robust import FEWEST, excess_energy, kinds, largest_forces, spread
from fidsel.data.frames import Frames

FORCE_LIMIT = 1e4
"""eV/Å; two protons 0.04 Å apart repel each other so."""
ENERGY_LIMIT = 1e6
"""eV per atom; all electrons of the heaviest elements have about as much."""

TIMES = 30.0
"""A largest force so many times the usual one, beyond its spread, is no configuration of the same kind."""
ENERGY_SIGMAS, ENERGY_LEAST, ENERGY_PER_ATOM = 30.0, 5.0, 1.0
"""An energy is absurd beyond so many σ of its kind and beyond 5 eV + 1 eV per atom; a bond has 3 to 10 eV."""

CLOSED = 0.02
"""Net forces below 2 % of all forces are of a closed system, on which no outer field acts."""


def force_sizes(frames: Frames) -> tuple[FloatArray, float, float]:
    """Return log₁₀ of the largest forces (n_frames,), what is usual of it, and how far above it may be.

    The room above is log₁₀ 30 and 6 σ. NaN, NaN where fewer than `FEWEST` frames have forces.
    """
    with np.errstate(divide="ignore"):
        size = np.log10(largest_forces(frames))
    usual, sigma = spread(size) if np.isfinite(size).sum() >= FEWEST else (np.nan, np.nan)
    return size, usual, float(np.log10(TIMES) + 6 * sigma)


def energy_room(
    frames: Frames, energy: FloatArray, sigmas: float, least: FloatArray | float, per_atom: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return how far energies lie from what is usual, how far they may, and σ of their kind, each (n,) eV.

    The room is the larger of `sigmas` σ and `least` + `per_atom` × atoms. Compositions of fewer than `FEWEST`
    energies get three times the latter: sums of atomic energies, which those are compared with, miss bonds.

    Parameters
    ----------
    energy : (n,) eV, energies or differences between levels.
    least : eV, of each frame or all.
    """
    excess, kind = excess_energy(frames, energy), kinds(frames)
    common = np.bincount(kind, weights=np.isfinite(excess))[kind] >= FEWEST
    sigma: FloatArray = np.full(len(frames), np.nan)
    for group in [kind == label for label in np.unique(kind[common])] + [~common]:
        sigma[group] = spread(excess[group])[1]
    floor = (least + per_atom * frames.sizes) * np.where(common, 1.0, 3.0)
    return excess, np.maximum(floor, sigmas * np.nan_to_num(sigma)), sigma
