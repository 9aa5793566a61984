"""The molecule of `morse_molecule` in a heat bath."""

import numpy as np
from ase.units import kB
from morse_molecule import NUMBERS, REST, morse

from fidsel.data import Frames


def thermal(n: int, temperature: float, seed: int = 0, *, depth: float = 4.0, sweeps: int = 400) -> Frames:
    """Return n independent frames of a Boltzmann distribution, by as many Metropolis walkers.

    All coordinates move, the labels are exact.
    """
    rng, kt = np.random.default_rng(seed), kB * temperature
    positions = REST + 0.03 * rng.normal(size=(n, 4, 3))
    energy = morse(positions, depth, 1.5)[0]
    for _ in range(sweeps):
        trial = positions + 0.6 * np.sqrt(kt / 20.0) * rng.normal(size=positions.shape)
        new = morse(trial, depth, 1.5)[0]
        taken = rng.uniform(size=n) < np.exp(np.minimum(0.0, (energy - new) / kt))
        positions[taken], energy[taken] = trial[taken], new[taken]
    energy, forces = morse(positions, depth, 1.5)
    return Frames.stack(NUMBERS, positions, energy=energy - 3000.0, forces=forces, level="morse")
