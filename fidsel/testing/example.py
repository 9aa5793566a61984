"""A molecule with exact labels, and a campaign on them, for examples and tests that need some."""

from pathlib import Path

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames, write

BONDS = ((0, 1, 47.0, 0.96), (0, 2, 47.0, 0.96), (1, 2, 9.0, 1.52))
"""Atoms, force constant (eV/Å²) and length (Å) of the springs between O, H and H."""

REST = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
ENERGY = -2081.0
"""eV, of the molecule at rest."""


def example_frames(n: int = 40, seed: int = 0, *, cheap: bool = False) -> Frames:
    """Return n labelled frames of a water molecule made of springs, E = E₀ + Σ ½ k (r − r₀)².

    Parameters
    ----------
    cheap : whether labels are those of a cheap level, whose springs are softer by a tenth.

    Examples
    --------
    >>> example_frames(5)
    Frames(5 frames, 15 atoms, H2O, 5 energies, 5 forces at accurate)
    """
    positions = REST + 0.05 * np.random.default_rng(seed).normal(size=(n, 3, 3))
    energy, forces = springs(positions, 0.9 if cheap else 1.0)
    level = "cheap" if cheap else "accurate"
    return Frames.stack([8, 1, 1], positions, energy=energy, forces=forces, level=level)


def springs(positions: FloatArray, stiffness: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Return energies (n,) eV and forces (n, 3, 3) eV/Å of the molecule at some positions (n, 3, 3) Å.

    Parameters
    ----------
    stiffness : factor of all force constants.
    """
    energy, forces = np.full(len(positions), ENERGY), np.zeros_like(positions)
    for first, second, constant, length in BONDS:
        k, bond = stiffness * constant, positions[:, second] - positions[:, first]
        r = np.linalg.norm(bond, axis=1)
        energy += 0.5 * k * (r - length) ** 2
        pull = (k * (r - length) / r)[:, None] * bond
        forces[:, first] += pull
        forces[:, second] -= pull
    return energy, forces


CAMPAIGN = """\
[campaign]
test = 10
validation = 5
rounds = 1

[pool]
source = "file"
path = "cheap.extxyz"

[[fidelity]]
name = "cheap"
kind = "table"
path = "cheap.extxyz"
price = { per = "label", value = 0.05 }

[[fidelity]]
name = "accurate"
kind = "table"
path = "accurate.extxyz"
price = { per = "label", value = 1 }

[model]
kind = "sgdml"
sigmas = [10.0]

[recipe]
kind = "cokriging"

[selector]
clusters = 4
energy_clusters = 2

[budget]
total = 16
unit = "label"

[tracking]
enabled = false
"""


def example_campaign(folder: Path | str) -> Path:
    """Write a campaign of seconds into a folder, on labels of `example_frames`, and return the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("cheap", "accurate"):
        write(folder / f"{name}.extxyz", example_frames(80, cheap=name == "cheap"))
    (folder / "fidsel.toml").write_text(CAMPAIGN, encoding="utf-8")
    return folder
