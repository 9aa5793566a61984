"""What an sGDML fit to all other frames would lack of the forces of each.

With A = (K + λ/w)⁻¹ of all frames and z = A y, it is r_i = A_ii⁻¹ z_i for frame i, without another fit
(Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, eq. 5.12, for blocks of equations).
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

TINY = 1e-200
"""Least square of a residual: one of zero has no logarithm."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Leave-one-out residuals of n frames with m equations each.

    Parameters
    ----------
    inverse : A, (n·m, n·m).
    targets : y, (n·m,) eV/Å.
    weights : (n,) importance of each frame.
    """

    inverse: Tensor
    targets: Tensor
    weights: Tensor

    @cached_property
    def blocks(self) -> Tensor:
        """A_ii, (n, m, m)."""
        n = len(self.weights)
        m, each = len(self.targets) // n, torch.arange(n, device=self.inverse.device)
        return self.inverse.view(n, m, n, m)[each, :, each]

    @cached_property
    def solved(self) -> Tensor:
        """z, (n·m,)."""
        return self.inverse @ self.targets

    @cached_property
    def residuals(self) -> Tensor:
        """r, (n, m) eV/Å."""
        found: Tensor = torch.linalg.solve(self.blocks, self.solved.view(self.blocks.shape[:2]))
        return found

    @property
    def log_error(self) -> float:
        """Weighted mean of ln |r_i|: the logarithm keeps few frames far from all others from deciding."""
        return float(self._share @ self._squares.log() / 2)

    def gradient(self) -> Tensor:
        """Return (n·m, n·m) the symmetric derivative of `log_error` to K: dA = −A dK A, dz = −A dK z."""
        slope = self._share.unsqueeze(1) * self.residuals / self._squares.unsqueeze(1)
        slope = torch.linalg.solve(self.blocks, slope)
        columns = self.inverse.view(-1, *slope.shape)
        first, second = (torch.einsum("rim,im->ri", columns, part) for part in (slope, self.residuals))
        found = first @ second.mT - torch.outer(first.sum(1), self.solved)
        return (found + found.mT) / 2

    @cached_property
    def _squares(self) -> Tensor:
        return self.residuals.square().sum(1).clamp(min=TINY)

    @property
    def _share(self) -> Tensor:
        return self.weights / self.weights.sum()
