"""Frames of a molecule of four atoms, two of them alike, as the kernel sees them."""

import numpy as np
import torch
from morse_molecule import SWAP, frames
from torch import Tensor

from fidsel.models.sgdml.kernel import Geometry, geometry
from fidsel.models.sgdml.symmetry import pair_indices

PAIRS = torch.from_numpy(pair_indices(np.array([[0, 1, 2, 3], SWAP])))


def described(n: int) -> Geometry:
    """Return n frames in descriptor space; each has six equations."""
    known = (torch.full((6,), value, dtype=torch.float64) for value in (0.7, 1.0))
    return geometry(torch.tensor(frames(n).dense().positions), *known)


def vector(size: int, seed: int = 0) -> Tensor:
    """Return random numbers."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size))
