"""How covariance falls off with distance in descriptor space: the Matérn family.

With ν = p + ½, t = √(2ν) d/σ and the polynomials

    k₀ = exp(−t),  k₁ = (1 + t) exp(−t),  k_q = k_{q−1} + t² k_{q−2} / ((2q − 1)(2q − 3)),

κ_ν(d) = k_p(t), and −κ_ν′/d is again of the family: a²/(2p − 1) k_{p−1}(t), a = √(2ν)/σ (Rasmussen & Williams
2006, ISBN 0-262-18253-X, section 4.2). The larger ν, the smoother the surfaces that are held likely.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor


@dataclass(frozen=True)
class Matern:
    """A kernel of the descriptor distance.

    Parameters
    ----------
    sigma : length scale σ, 1/Å.
    nu : smoothness ν: 2.5, as published for sGDML, 3.5, 4.5, ...; forces have ν − 3/2 derivatives.
    """

    sigma: float
    nu: float = 2.5

    @property
    def scale(self) -> float:
        """Slope of the falloff, a = √(2ν)/σ, Å."""
        return sqrt(2 * self.nu) / self.sigma

    @property
    def order(self) -> int:
        """Degree of its polynomial, p = ν − ½."""
        return round(self.nu - 0.5)

    def falloff(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return k_{p−1} and k_{p−2} / (2p − 3) at distances in units of 1/a, which are overwritten."""
        square = t * t if self.order > 2 else None
        below = t.neg().exp_()
        here = t.mul_(below).add_(below)
        for q in range(2, self.order):
            assert square is not None
            below, here = here, torch.addcmul(here, square, below, value=1 / ((2 * q - 1) * (2 * q - 3)))
        return here, below if self.order == 2 else below / (2 * self.order - 3)

    def coefficients(self, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Return c₁ = −κ′/d and c₂ = −c₁′/d at distances, 1/Å."""
        a = self.scale
        here, below = self.falloff(a * distance)
        factor = a * a / (2 * self.order - 1)
        return here.mul_(factor), below.mul_(factor * a * a)

    def third(self, distance: Tensor) -> Tensor:
        """Return c₃ = −c₂′/d at distances, 1/Å."""
        a, p = self.scale, self.order
        t = (a * distance).clamp_(min=1e-12)
        factor = a**6 / ((2 * p - 1) * (2 * p - 3))
        if p == 2:
            return t.neg().exp_().mul_(factor).div_(t)
        lower = Matern(sqrt(2 * p - 1) / a, self.nu - 1).falloff(t)[1]  # k_{p−3} / (2p − 5)
        return lower * factor
