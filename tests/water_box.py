"""Many water molecules with harmonic bonds: large frames with right energies and forces."""

import numpy as np

from fidsel.data import Frames

WATER = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
SPRINGS = ((0, 1, 45.0, 0.96), (0, 2, 45.0, 0.96), (1, 2, 10.0, 1.514))
"""Atoms, force constant eV/Å² and length Å."""


def water_box(molecules: int, n: int, seed: int = 0) -> Frames:
    """Return n frames of water molecules 3.1 Å apart that do not see each other."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(molecules ** (1 / 3)))
    places = 3.1 * np.argwhere(np.ones((side,) * 3))[:molecules]
    xyz = places[:, None] + WATER + rng.normal(scale=0.03, size=(n, molecules, 3, 3))
    forces, energy = np.zeros_like(xyz), np.full(n, -2080.0 * molecules)
    for a, b, stiff, rest in SPRINGS:
        bond = xyz[:, :, b] - xyz[:, :, a]
        length = np.linalg.norm(bond, axis=-1, keepdims=True)
        pull = stiff * (length - rest) * bond / length
        forces[:, :, a] += pull
        forces[:, :, b] -= pull
        energy += 0.5 * stiff * ((length - rest) ** 2).sum(axis=(1, 2))
    shape = (n, 3 * molecules, 3)
    numbers = np.tile([8, 1, 1], molecules)
    return Frames.stack(numbers, xyz.reshape(shape), energy=energy, forces=forces.reshape(shape))
