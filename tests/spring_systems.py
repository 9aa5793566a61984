"""Molecules of every kind with a known energy surface at two levels: Morse bonds between all pairs."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.data import covalent_radii

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.fidelity import Label
from fidsel.fidelity.source import Value
from fidsel.models import PaiNN
from fidsel.models.networks.base import NetworkForceField
from fidsel.training import Stage, TrainingData, TTTJoint

DEPTH = {"accurate": 1.0, "prior": 0.8, "below": 0.3, "accurate + below": 1.3, "prior + below": 1.1}
"""eV, of each bond at a level."""
STAGE = Stage("short", steps=300, batch=8, learning_rate=1e-2, validate_every=50)


def bonds(numbers: FloatArray, x: FloatArray, depth: float) -> tuple[float, FloatArray]:
    """Return energy and forces of Σ_pairs D (1 − exp(−a (r − r₀)))², r₀ twice the mean covalent radius."""
    i, j = np.triu_indices(len(numbers), 1)
    rest = 1.3 * (covalent_radii[numbers[i]] + covalent_radii[numbers[j]])
    apart = x[i] - x[j]
    r = np.linalg.norm(apart, axis=1)
    decay = np.exp(-1.2 * (r - rest))
    pull = (-2.4 * depth * (1 - decay) * decay / r)[:, None] * apart
    forces = np.zeros_like(x)
    np.add.at(forces, i, pull)
    np.add.at(forces, j, -pull)
    return float((depth * (1 - decay) ** 2).sum()), forces


@dataclass(frozen=True)
class Springs:
    """Labels any molecule at one level, and fails where the first atom lies below `floor` (x, Å)."""

    level: str = "prior"
    floor: float = -np.inf
    forces: bool = True

    def settings(self) -> dict[str, Value]:
        return {"kind": "springs", "level": self.level}

    def label(self, atoms: Atoms) -> Label:
        if atoms.positions[0, 0] < self.floor:
            raise ArithmeticError("did not converge")
        return Label(*bonds(atoms.numbers, atoms.positions, DEPTH[self.level]))


def shaken(name: str, n: int, seed: int = 0, level: str = "accurate") -> Frames:
    """Return n frames around the geometry that ASE has of a molecule, with labels of a level."""
    start, rng = molecule(name), np.random.default_rng(seed)
    positions = start.positions + 0.08 * rng.normal(size=(n, len(start), 3))
    labels = [bonds(start.numbers, x, DEPTH[level]) for x in positions]
    energy = [-100.0 * len(start) + e for e, _ in labels]
    return Frames.stack(
        start.numbers, positions, energy=energy, forces=np.stack([f for _, f in labels]), level=level
    )


KNOWN = ("H2O", "NH3", "CH4")
"""Molecules of training."""


def training(level: str, n: int = 40, seed: int = 0) -> Frames:
    """Return frames of all molecules of training."""
    parts = [shaken(name, n, seed + k, level) for k, name in enumerate(KNOWN)]
    return sum(parts[1:], parts[0])


def painn(seed: int = 0) -> PaiNN:
    return PaiNN("accurate", features=12, layers=2, radial=6, cutoff=4.0, seed=seed)


def with_prior() -> NetworkForceField:
    """Return a network trained at both levels, with a head for each."""
    data = TrainingData(training("accurate"), training("accurate", 8, 50), (training("prior", seed=90),))
    model = TTTJoint(stage=STAGE)(data, painn, 0).model
    assert isinstance(model, NetworkForceField)
    return model
