"""PaiNN on dense batches: an equivariant message-passing network for small molecules."""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from fidsel.arguments import PositiveFloat, PositiveInt
from fidsel.models.networks.batch import Batch
from fidsel.models.networks.layered import LayeredForceField, LayeredNetwork
from fidsel.models.networks.pairs import bessel, pairs

TINY = 1e-6
"""Keeps the norm of a vanishing vector feature twice differentiable."""


def linear(inputs: int, outputs: int, *, parts: tuple[int, int] = (1, 1), bias: bool = True) -> nn.Linear:
    """Return several linear maps as one, which costs a few operations less for each.

    Each starts from Glorot's uniform distribution of its own, with zero bias.

    Parameters
    ----------
    inputs, outputs : of each map.
    parts : how many inputs, side by side, and outputs the maps have together.
    """
    layer = nn.Linear(parts[0] * inputs, parts[1] * outputs, bias=bias)
    for rows in torch.split(layer.weight.detach(), outputs):
        for part in torch.split(rows, inputs, dim=1):
            nn.init.xavier_uniform_(part)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    """One interaction of PaiNN: a message from the neighbours and an update of each atom.

    ================ ==================== ==================================================
    symbol           variable             shape
    ================ ==================== ==================================================
    s_i              s                    (B, N, F)
    v_i              v                    (B, N, 3, F), None before the first interaction
    φ(s_j)           `phi`                (B, N, F) each
    W(r_ij)·f_c      `filter_*(basis)`    (B, N, N, F) each
    r̂_ij             unit                 (B, N, 3, N)
    U v, V v         `mix(v)`             (B, N, 3, 2, F)
    ================ ==================== ==================================================

    Messages: Δs_i = Σ_j W_s φ_s, Δv_i = Σ_j r̂_ij W_r φ_r + Σ_j W_v φ_v v_j. Updates: with U v, V v and
    a = a(s, ‖V v‖), Δs = a_ss + a_sv ⟨U v, V v⟩ and Δv = a_vv U v. The first block has no v_j to
    send, and nothing reads the v of the last: both leave those weights out.
    """

    def __init__(self, features: int, radial: int, *, first: bool, last: bool) -> None:
        super().__init__()
        self.features, self.last = features, last
        self.hidden = linear(features, features)
        self.phi = linear(features, features, parts=(1, 2 if first else 3))
        self.filter_s, self.filter_r = (linear(radial, features, bias=False) for _ in range(2))
        if not first:
            self.filter_v = linear(radial, features, bias=False)
        self.mix = linear(features, features, parts=(1, 2), bias=False)
        self.update = linear(features, features, parts=(2, 1))
        self.scale = linear(features, features, parts=(1, 2 if last else 3))

    def forward(self, s: Tensor, v: Tensor | None, basis: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Return s and v after the interaction."""
        phi = self.phi(silu(self.hidden(s))).split(self.features, dim=-1)
        s = s + (self.filter_s(basis) * phi[0][:, None]).sum(2)
        dv = unit @ (self.filter_r(basis) * phi[1][:, None])
        if v is not None:
            sent = phi[2][:, :, None] * v
            dv = dv + v + (self.filter_v(basis)[:, :, :, None] * sent[:, None]).sum(2)
        return self._update(s, dv)

    def _update(self, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        mixed = self.mix(v).unflatten(-1, (2, self.features))
        dot, square = (mixed * mixed[:, :, :, 1:]).sum(2).unbind(2)
        a = self.scale(silu(self.update(torch.cat([s, (square + TINY).sqrt()], -1))))
        a = a.split(self.features, dim=-1)
        s = s + a[0] + a[1] * dot
        return s, v if self.last else v + a[2][:, :, None] * mixed[:, :, :, 0]


class PaiNNNetwork(LayeredNetwork):
    """Energy of molecules by equivariant message passing; see `PaiNN`."""

    def make_blocks(self) -> nn.ModuleList:
        """Return the interactions."""
        last = self.layers - 1
        return nn.ModuleList(
            Block(self.features, self.radial + 1, first=i == 0, last=i == last) for i in range(self.layers)
        )

    def latent(self, batch: Batch) -> Tensor:
        """Return the scalar features after the last interaction, (B, N, features)."""
        distance, unit, envelope = pairs(batch, self.reach)
        basis = torch.cat([bessel(distance, self.cutoff, self.radial) * envelope, envelope], -1)
        unit = unit.transpose(2, 3)
        s: Tensor = self.embedding(batch.numbers)
        v: Tensor | None = None
        for block in self.blocks:
            s, v = block(s, v, basis, unit)
        return s


class PaiNN(LayeredForceField):
    """Polarisable atom interaction network: equivariant message passing (Schütt, Unke & Gastegger 2021).

    Atoms carry scalar and vector features that exchange messages along the pair directions;
    DOI 10.48550/arXiv.2102.03150. Pairs are dense (every atom with every other of its molecule), so
    there is no neighbour list and no scatter: meant for molecules up to some tens of atoms. The radial
    basis is f_c·√(2/r_c)·sin(nπr/r_c)/r for n = 1 … radial, and f_c itself.

    Parameters
    ----------
    level : level of theory it predicts.
    features : feature channels per atom, scalars and vectors each.
    layers : message passes.
    cutoff : cutoff radius, Å: the reach of one message.
    radial : radial basis functions.
    seed : decides the initial parameters.

    Examples
    --------
    >>> PaiNN("pbe", features=8, layers=2, seed=1).network.settings()["features"]
    8
    """

    kind = "painn"
    architecture = PaiNNNetwork

    def __init__(
        self,
        level: str = "",
        *,
        features: PositiveInt = 64,
        layers: PositiveInt = 2,
        cutoff: PositiveFloat = 5.0,
        radial: PositiveInt = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(level, features, layers, radial, cutoff, seed)
