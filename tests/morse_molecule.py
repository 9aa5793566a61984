"""A molecule with a known energy surface: Morse bonds between all pairs of H₂CO's atoms."""

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames

NUMBERS = np.array([6, 8, 1, 1])
REST = np.array([[0.0, 0.0, 0.0], [1.21, 0.0, 0.0], [-0.58, 0.94, 0.0], [-0.58, -0.94, 0.0]])
SWAP = [0, 1, 3, 2]


def frames(n: int, seed: int = 0, *, depth: float = 4.0, width: float = 1.5, level: str = "morse") -> Frames:
    """Return n frames around the rest geometry with exact energies (eV) and forces (eV/Å)."""
    rng = np.random.default_rng(seed)
    positions = REST + 0.06 * rng.normal(size=(n, 4, 3))
    energy, forces = morse(positions, depth, width)
    return Frames.stack(NUMBERS, positions, energy=energy - 3000.0, forces=forces, level=level)


def morse(positions: FloatArray, depth: float, width: float) -> tuple[FloatArray, FloatArray]:
    """Return energies and forces of Σ_pairs D (1 − exp(−a (r − r₀)))²."""
    first, second = np.triu_indices(4, 1)
    rest = np.linalg.norm(REST[first] - REST[second], axis=1)
    bond = positions[:, first] - positions[:, second]
    r = np.linalg.norm(bond, axis=2)
    decay = np.exp(-width * (r - rest))
    energy = (depth * (1 - decay) ** 2).sum(1)
    pull = -(2 * depth * width * (1 - decay) * decay / r)[..., None] * bond
    forces = np.zeros_like(positions)
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        forces[:, i] += pull[:, pair]
        forces[:, j] -= pull[:, pair]
    return energy, forces
