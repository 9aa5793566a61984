"""SchNet on dense batches: continuous-filter convolutions for small molecules."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from fidsel.arguments import PositiveFloat, PositiveInt
from fidsel.models.networks.batch import Batch
from fidsel.models.networks.layered import LayeredForceField, LayeredNetwork
from fidsel.models.networks.pairs import gaussians, pairs
from fidsel.models.networks.readout import initialise


class Filters(nn.Module):
    """Filters W_l(r_ij)·f_c of all interactions l, each a perceptron of the radial basis g(r_ij).

    W_l = B_l ssp(A_l g + a_l) + b_l. They depend on no features, so those of every interaction come
    from one pass; and as r_ij = r_ji, from the pairs i ≤ j alone.

    ========== ============== ===================
    symbol     parameter      shape
    ========== ============== ===================
    A_l        weight_in      (L, radial, F)
    a_l        bias_in        (L, 1, F)
    B_l        weight_out     (L, F, F)
    b_l        bias_out       (L, 1, F)
    ========== ============== ===================
    """

    def __init__(self, features: int, layers: int, radial: int) -> None:
        super().__init__()
        self.weight_in = nn.Parameter(torch.empty(layers, radial, features))
        self.bias_in = nn.Parameter(torch.zeros(layers, 1, features))
        self.weight_out = nn.Parameter(torch.empty(layers, features, features))
        self.bias_out = nn.Parameter(torch.zeros(layers, 1, features))
        for weight in (*self.weight_in, *self.weight_out):
            nn.init.xavier_uniform_(weight)

    def forward(self, distance: Tensor, envelope: Tensor, cutoff: float) -> Tensor:
        """Return (L, B, N, N, F) of distances (B, N, N, 1) Å; zero where the envelope is."""
        frames, n = distance.shape[:2]
        layers, radial, features = self.weight_in.shape
        upper, entry = upper_triangle(n, distance.device)
        r, f = (x.flatten(1, 2).index_select(1, upper) for x in (distance, envelope))
        basis = gaussians(r, cutoff, radial).flatten(0, 1).expand(layers, -1, -1)
        hidden = ssp(torch.baddbmm(self.bias_in, basis, self.weight_in))
        filters = torch.baddbmm(self.bias_out, hidden, self.weight_out) * f.flatten(0, 1)
        filters = filters.reshape(layers, frames, len(upper), features).index_select(2, entry)
        return filters.reshape(layers, frames, n, n, features)


class Block(nn.Module):
    """One interaction of SchNet: x_i + D ssp(C Σ_j W(r_ij) ∘ (P x_j) + c) + d, with features x (B, N, F)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.inward = nn.Linear(features, features, bias=False)
        self.hidden, self.outward = (nn.Linear(features, features) for _ in range(2))

    def forward(self, x: Tensor, filters: Tensor) -> Tensor:
        """Return the features after the interaction through filters (B, N, N, F)."""
        message = (filters * self.inward(x)[:, None]).sum(2)
        update: Tensor = self.outward(ssp(self.hidden(message)))
        return x + update


class SchNetNetwork(LayeredNetwork):
    """Energy of molecules by continuous-filter convolutions; see `SchNet`."""

    def make_blocks(self) -> nn.ModuleList:
        """Return the interactions; the filters of all are made at once."""
        self.filters = Filters(self.features, self.layers, self.radial)
        blocks = nn.ModuleList(Block(self.features) for _ in range(self.layers))
        initialise(blocks)
        return blocks

    def latent(self, batch: Batch) -> Tensor:
        """Return the features after the last interaction, (B, N, features)."""
        distance, _, envelope = pairs(batch, self.reach)
        x: Tensor = self.embedding(batch.numbers)
        for block, filters in zip(self.blocks, self.filters(distance, envelope, self.cutoff), strict=True):
            x = block(x, filters)
        return x


def ssp(x: Tensor) -> Tensor:
    """Return the shifted softplus ln(½eˣ + ½), smooth to all orders."""
    return softplus(x) - math.log(2.0)


def upper_triangle(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the entries i ≤ j of a flat (n, n) matrix, and which of them each entry of a symmetric one is.

    >>> upper, entry = upper_triangle(2, torch.device("cpu"))
    >>> upper.tolist(), entry.tolist()
    ([0, 1, 3], [0, 1, 1, 2])
    """
    i = torch.arange(n, device=device)
    low, high = torch.minimum(i, i[:, None]), torch.maximum(i, i[:, None])
    first, second = torch.triu_indices(n, n, device=device)
    upper = first * n + second
    return upper, torch.searchsorted(upper, (low * n + high).flatten())


class SchNet(LayeredForceField):
    """Continuous-filter convolutional network: messages weighed by functions of the distance.

    SchNet (Schütt et al. 2018, DOI 10.1063/1.5019779).
    Each interaction weighs the features of an atom's neighbours by filters that a small perceptron makes
    of the distance, expanded in Gaussians exp(−(r − μ_n)²/2δ²) with μ_n from 0 to the cutoff in steps of
    δ. Filters end smoothly with the envelope f_c and, as in the authors' later code, not with an
    activation. Pairs are dense: meant for molecules up to some tens of atoms. Defaults are the sizes of
    Fonseca et al. 2021 (DOI 10.1063/5.0035530).

    Parameters
    ----------
    level : level of theory it predicts.
    features : feature channels per atom, and per filter.
    layers : interactions.
    cutoff : cutoff radius, Å: the reach of one interaction.
    radial : Gaussians that the distances are expanded in.
    seed : decides the initial parameters.

    Examples
    --------
    >>> SchNet("pbe", features=8, layers=2, seed=1).network.settings()["radial"]
    25
    """

    kind = "schnet"
    architecture = SchNetNetwork
    least_radial = 2

    def __init__(
        self,
        level: str = "",
        *,
        features: PositiveInt = 64,
        layers: PositiveInt = 6,
        cutoff: PositiveFloat = 5.0,
        radial: PositiveInt = 25,
        seed: int = 0,
    ) -> None:
        super().__init__(level, features, layers, radial, cutoff, seed)
