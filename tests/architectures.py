"""Small untrained models of every own network: a line in the table gives one the tests all must pass."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.models import EGNN, EnergyReference, GemNet, NetworkForceField, PaiNN, SchNet

Build = Callable[..., NetworkForceField]

TABLE: dict[str, tuple[Build, dict[str, int]]] = {
    "egnn": (EGNN, {"features": 8, "layers": 2, "radial": 6}),
    "gemnet": (GemNet, {"blocks": 2, "atom": 8, "edge": 8, "triplet": 4, "bilinear": 4}),
    "painn": (PaiNN, {"features": 8, "layers": 2, "radial": 6}),
    "schnet": (SchNet, {"features": 8, "layers": 2, "radial": 8}),
}
DEFAULT: dict[str, Build] = {kind: made for kind, (made, _) in TABLE.items()}
"""In the sizes that people get."""
ARCHITECTURES: dict[str, Build] = {kind: partial(made, **sizes) for kind, (made, sizes) in TABLE.items()}
REFERENCE = EnergyReference({1: -13.0, 6: -1030.0, 8: -2040.0}, 3)


def network(kind: str, seed: int = 1, cutoff: float = 5.0) -> NetworkForceField:
    """Return an untrained float64 model with reference energies, which can therefore predict."""
    model = ARCHITECTURES[kind]("morse", seed=seed, cutoff=cutoff).to(dtype=torch.float64)
    return model.replace(reference=REFERENCE)


def mixed() -> Frames:
    """Return frames of four, two and three atoms."""
    rng = np.random.default_rng(0)
    return (
        frames(2)
        + Frames.stack([1, 1], rng.normal(size=(3, 2, 3)), level="morse")
        + Frames.stack([8, 1, 1], rng.normal(size=(2, 3, 3)), level="morse")
    )
