"""Layers of GemNet that keep the variance of what passes through them."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

ROOT_HALF = math.sqrt(0.5)
"""A sum of two independent terms times this has the variance of one."""

ROOT_THIRD = math.sqrt(1 / 3)
"""The same for a sum of three."""


def activation(x: Tensor) -> Tensor:
    """Return silu(x)/0.56, whose variance is 1 for standard normal x; silu(x)/0.6 has mean square 1."""
    return silu(x).mul_(1 / 0.56)


class Linear(nn.Linear):
    """A linear map without bias whose random weights keep the variance.

    Weights start orthogonal, then standardised: without a mean, so that the positive mean of
    activations does not grow from layer to layer, and with variance 1/inputs.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def reset_parameters(self) -> None:
        """Draw the weights."""
        w = nn.init.orthogonal_(self.weight.detach())
        if self.in_features > 1:
            w -= w.mean(1, keepdim=True)
        w /= torch.linalg.vector_norm(w) / math.sqrt(self.out_features)


class Dense(nn.Module):
    """A linear map and the activation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return σ(W x)."""
        return activation(self.linear(x))


class Residuals(nn.Module):
    """`count` layers x ← (x + σ(W₂ σ(W₁ x)))/√2."""

    def __init__(self, features: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(Dense(features, features), Dense(features, features)) for _ in range(count)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x after all layers."""
        for layer in self.layers:
            x = (x + layer(x)).mul_(ROOT_HALF)
        return x


class Scale(nn.Module):
    """Multiplication by a trained positive factor, 1 until it is fitted to keep the variance.

    Products with basis functions and sums over neighbours change the variance by what the molecules
    are like; the factor undoes it. Its logarithm is the parameter, so that a step of the optimiser
    changes a large and a small factor alike.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(()))
        self.fit_to: Mapping[int, Tensor] | None = None
        """Atoms (B, N) and edges (B, N, N) to fit to, by the dimensions of features; None = keep."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Return x times the factor, which gives x the variance of `like` where it is being fitted."""
        if self.fit_to is not None:
            ratio = _variance(like[self.fit_to[like.ndim]]) / _variance(x[self.fit_to[x.ndim]])
            if 0 < ratio < torch.inf:
                self.log.copy_(ratio.log() / 2)
        return x * self.log.exp()


@contextmanager
def fitted_scales(network: nn.Module, atoms: Tensor, edges: Tensor) -> Iterator[None]:
    """Let every scale fit its factor to what passes it, in that order."""
    scales = [layer for layer in network.modules() if isinstance(layer, Scale)]
    for scale in scales:
        scale.fit_to = {3: atoms, 4: edges}
    try:
        with torch.no_grad():
            yield
    finally:
        for scale in scales:
            scale.fit_to = None


def _variance(x: Tensor) -> Tensor:
    return (x - x.mean()).square().mean()


class EdgeUpdate(nn.Module):
    """σ(W [h_c ‖ h_a ‖ e_ca]) for each edge c → a; atoms go through their columns of W only once."""

    def __init__(self, atom: int, inputs: int, edge: int) -> None:
        super().__init__()
        self.source, self.target, self.edge = Linear(atom, edge), Linear(atom, edge), Linear(inputs, edge)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        """Return (B, N, N, edge) from atoms h (B, N, atom) and edges e (B, N, N, inputs)."""
        h, weight = h * ROOT_THIRD, self.edge.weight * ROOT_THIRD
        both = self.target(h)[:, :, None] + self.source(h)[:, None]
        return activation(both + linear(e, weight))


class AtomUpdate(nn.Module):
    """Features of atoms from the edges that point to them: Σ_c m_ca ⊙ W e_RBF(r_ca), then dense layers."""

    def __init__(self, edge: int, rbf: int, atom: int, residuals: int) -> None:
        super().__init__()
        self.filter, self.scale = Linear(rbf, edge), Scale()
        self.layers = nn.Sequential(Dense(edge, atom), Residuals(atom, residuals))

    def forward(self, m: Tensor, rbf: Tensor) -> Tensor:
        """Return (B, N, atom) from edges m (B, N, N, edge) and basis functions (B, N, N, rbf)."""
        x: Tensor = self.layers(self.scale((m * self.filter(rbf)).sum(2), m))
        return x
