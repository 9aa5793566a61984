"""GemNet's circular basis: spherical Bessel functions of a distance × Legendre polynomials of an angle."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import spherical_jn
from torch import Tensor, nn

from fidsel.arrays import FloatArray
from fidsel.models.gemnet.layers import Linear
from fidsel.models.networks.batch import Batch
from fidsel.models.networks.pairs import bessel, pairs


@lru_cache
def bessel_zeros(orders: int, count: int) -> FloatArray:
    """Return z_ln, the first zeros of j_l for l = 0 … orders − 1, (orders, count).

    The zeros of j_l and j_{l+1} interlace, so one row brackets the next.
    """
    row = math.pi * np.arange(1, orders + count)
    rows = [row]
    for order in range(1, orders):
        row = np.array([brentq(lambda x, n=order: spherical_jn(n, x), *ends) for ends in pairwise(row)])
        rows.append(row)
    zeros: FloatArray = np.stack([row[:count] for row in rows])
    return zeros


@lru_cache
def waves(orders: int, count: int, reach: float) -> tuple[FloatArray, FloatArray]:
    """Return what makes up the radial functions by waves that all share; see `radial_functions`.

    The waves have twice the period of [−reach, reach]: with that room a least-squares fit is exact to
    rounding and its weights are small, though neither the functions nor their slopes agree at the ends.

    Parameters
    ----------
    reach : largest distance in units of the cutoff, up to which the waves hold.

    Returns
    -------
    frequencies (M,) and weights of their cosines and sines, (2 M, orders·count).
    """
    zeros, reach = bessel_zeros(orders, count), max(1.0, reach)
    frequencies = np.arange(math.ceil(2 * zeros.max() * reach / math.pi) + 8) * math.pi / (2 * reach)
    x = reach * np.sin(np.linspace(0.0, math.pi / 2, 8 * len(frequencies)))[:, None]
    weights = np.zeros((2, len(frequencies), orders, count))
    for order, roots in enumerate(zeros):
        odd = order % 2
        terms = np.sin(x * frequencies) if odd else np.cos(x * frequencies)
        functions = math.sqrt(2.0) / np.abs(spherical_jn(order + 1, roots)) * spherical_jn(order, x * roots)
        weights[odd, :, order] = np.linalg.lstsq(terms, functions, rcond=1e-13)[0]
    return frequencies, weights.reshape(-1, orders * count)


def radial_functions(distance: Tensor, cutoff: float, frequencies: Tensor, weights: Tensor) -> Tensor:
    """Return √(2/r_c³)/|j_{l+1}(z_ln)|·j_l(z_ln r/r_c), (..., orders·count), of distances (..., 1) Å.

    Each is a sum of the same fifty or so waves: cheap, smooth and exact to rounding at every distance,
    where recurrences in l lose their digits below z_ln r/r_c ≈ l.

    Parameters
    ----------
    frequencies, weights : (M,) and (2 M, orders·count) of `waves`.
    """
    phase = distance * (frequencies / cutoff)
    functions: Tensor = torch.cat([torch.cos(phase), torch.sin(phase)], -1) @ (weights * cutoff**-1.5)
    return functions


@lru_cache
def polynomials(orders: int) -> tuple[FloatArray, FloatArray]:
    """Return what makes Q_l, multiples of Legendre polynomials whose recurrence is one operation.

    Q_l = s_l cos φ Q_{l−1} + Q_{l−2} from Q_0 = 1 and Q_1 = cos φ, and Y_l0 = k_l Q_l.

    Returns
    -------
    steps s_l, of which those of 0 and 1 are without meaning, and k_l, (orders,) each.
    """
    legendre, steps = np.ones(orders), np.zeros(orders)
    for order in range(2, orders):
        legendre[order] = legendre[order - 2] * (1 - order) / order
        steps[order] = (2 * order - 1) / order * legendre[order - 1] / legendre[order]
    return steps, legendre * np.sqrt((2 * np.arange(orders) + 1) / (4 * math.pi))


@lru_cache
def angular_factors(orders: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return k_l of `polynomials`, (orders, 1, 1), made once: a CUDA graph can copy nothing to its device."""
    return torch.tensor(polynomials(orders)[1], dtype=dtype, device=device)[:, None, None]


def angular_functions(first: Tensor, cosine: Tensor, orders: int) -> list[Tensor]:
    """Return Q_0 · Q_l(cos φ) for l = 0 … orders − 1; times k_l of `polynomials` they are Q_0 · Y_l0(φ).

    Polynomials of the cosine are smooth at φ = 0 and π, where the angle itself is not.

    Parameters
    ----------
    first : Q_0: 1, or 0 where every function is to be 0.
    cosine : cos φ, the same shape.
    """
    q = [first, cosine * first]
    for step in polynomials(orders)[0][2:].tolist():
        q.append(torch.addcmul(q[-2], q[-1], cosine, value=step))
    return q[:orders]


class Basis(NamedTuple):
    """Geometry as the blocks see it; entry (b, a, c) is the edge c → a, and b' another neighbour of a.

    ========== ======================= ================================================================
    field      shape                   meaning
    ========== ======================= ================================================================
    radial     (B, N, N, radial)       e_RBF(r_ca), with the envelope: zero where there is no edge
    triplet    (B, N, N, rbf)          W e_RBF for the products before the sum over triplets
    atom       (B, N, N, rbf)          W e_RBF for sums over the edges of an atom, inside
    output     (B, N, N, rbf)          and at the output of a block
    distance   (B, N, N, cbf, S)       k_l Σ_n W_iln j_l(z_ln r_ca/r_c), with the envelope
    angle      (B, N, N S, N)          Y_l0(φ_cab')/k_l of row (c, l) and column b'; zero for b' = c
    ========== ======================= ================================================================
    """

    radial: Tensor
    triplet: Tensor
    atom: Tensor
    output: Tensor
    distance: Tensor
    angle: Tensor


class BasisLayer(nn.Module):
    """Basis functions and their projections, which all blocks share; S = `spherical`.

    The circular basis of an edge and an angle, ẽ_i = Σ_ln W_iln j_l(z_ln r_ca/r_c) Y_l0(φ_cab'), is
    left as its two factors.
    """

    frequencies: Tensor
    weights: Tensor

    def __init__(self, radial: int, spherical: int, rbf: int, cbf: int, reach: float) -> None:
        super().__init__()
        self.radial, self.spherical = radial, spherical
        self.triplet, self.atom, self.output = (Linear(radial, rbf) for _ in range(3))
        self.circular = nn.Parameter(torch.randn(spherical, radial, cbf) * (spherical * radial) ** -0.5)
        self.resolve(reach)

    def resolve(self, reach: float) -> None:
        """Make the radial functions hold up to another distance, in units of the cutoff."""
        frequencies, weights = waves(self.spherical, self.radial, reach)
        self.register_buffer("frequencies", torch.tensor(frequencies).to(self.circular))
        self.register_buffer("weights", torch.tensor(weights).to(self.circular))

    def forward(self, batch: Batch, cutoff: float, reach: float) -> Basis:
        """Return the basis of a batch."""
        distance, unit, envelope = pairs(batch, reach)
        rbf = bessel(distance, cutoff, self.radial) * envelope
        functions = radial_functions(distance, cutoff, self.frequencies, self.weights) * envelope
        functions = functions.view(*functions.shape[:-1], self.spherical, self.radial)
        factors = angular_factors(self.spherical, self.circular.dtype, self.circular.device)
        circular = torch.einsum("...ln,lni->...il", functions, self.circular * factors)
        cosine = unit @ unit.transpose(2, 3)
        other = 1.0 - torch.eye(unit.shape[1], dtype=unit.dtype, device=unit.device)
        angles = angular_functions(other.expand_as(cosine), cosine, self.spherical)
        angle = torch.stack(angles, 3).flatten(2, 3)
        return Basis(rbf, self.triplet(rbf), self.atom(rbf), self.output(rbf), circular, angle)
