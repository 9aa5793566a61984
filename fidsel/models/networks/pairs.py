"""Pair distances, directions, envelope and radial functions of a dense batch."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fidsel.models.networks.batch import Batch

ELEMENTS = 119
"""Rows of an embedding by atomic number, 0 being padding."""


class Pairs(NamedTuple):
    """Every atom with every other of its frame; entry (b, i, j) is the pair i ← j.

    ========== ================ ====== ==============================================================
    field      shape            unit   meaning
    ========== ================ ====== ==============================================================
    distance   (B, N, N, 1)     Å      1 where there is no pair, so that its root has a derivative
    unit       (B, N, N, 3)            from i to j; without meaning where the envelope is zero
    envelope   (B, N, N, 1)            f_c, zero where there is no pair or it is beyond the cutoff
    ========== ================ ====== ==============================================================
    """

    distance: Tensor
    unit: Tensor
    envelope: Tensor


def pairs(batch: Batch, cutoff: float) -> Pairs:
    """Return the pairs of a batch.

    Parameters
    ----------
    cutoff : Å, where the envelope and its first two derivatives vanish.
    """
    positions, mask = batch.positions, batch.mask
    itself = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
    real = (mask[:, :, None] & mask[:, None, :] & ~itself)[..., None]
    d = positions[:, None] - positions[:, :, None]
    distance = torch.where(real, (d * d).sum(-1, keepdim=True), 1.0).sqrt()
    return Pairs(distance, d / distance, envelope(distance / cutoff) * real)


def envelope(t: Tensor) -> Tensor:
    """Return f_c = 1 − 28 t⁶ + 48 t⁷ − 21 t⁸ up to t = 1 and 0 beyond (Gasteiger et al. 2020, p = 6)."""
    t = t.clamp(max=1.0)
    return 1.0 - t**6 * (28.0 - 48.0 * t + 21.0 * t * t)


def bessel(distance: Tensor, cutoff: float, count: int) -> Tensor:
    """Return √(2/r_c)·sin(nπr/r_c)/r for n = 1 … count, (..., count), of distances (..., 1) Å."""
    n = torch.arange(1, count + 1, device=distance.device, dtype=distance.dtype)
    return torch.sin(distance * (n * (math.pi / cutoff))) * (math.sqrt(2.0 / cutoff) / distance)


def gaussians(distance: Tensor, cutoff: float, count: int) -> Tensor:
    """Return exp(−(r − μ_n)²/2δ²), μ_n from 0 to r_c in steps of δ, (..., count), of distances (..., 1) Å."""
    centres = torch.linspace(0.0, cutoff, count, device=distance.device, dtype=distance.dtype)
    return torch.exp(-0.5 * ((distance - centres) * ((count - 1) / cutoff)) ** 2)
