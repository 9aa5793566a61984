"""PaiNN on dense batches: an equivariant message-passing network for small molecules."""

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from fidsel.models.batch import Batch
from fidsel.models.network import Network, NetworkForceField, seeded
from fidsel.models.pairs import ELEMENTS, bessel, pairs
from fidsel.models.readout import Readout, initialise
from fidsel.models.require import require_at_least, require_positive

TINY = 1e-6
"""Keeps the norm of a vanishing vector feature twice differentiable."""


class Block(nn.Module):
    """One interaction of PaiNN: a message from the neighbours and an update of each atom.

    ================ ==================== ==================================================
    symbol           variable             shape
    ================ ==================== ==================================================
    s_i              s                    (B, N, F)
    v_i              v                    (B, N, 3, F), None before the first interaction
    φ(s_j)           `phi_*`              (B, N, F) each
    W(r_ij)·f_c      `filter_*(basis)`    (B, N, N, F) each
    r̂_ij             unit                 (B, N, 3, N)
    ================ ==================== ==================================================

    Messages: Δs_i = Σ_j φ_s W_s, Δv_i = Σ_j φ_r W_r r̂_ij + Σ_j v_j φ_v W_v. Updates: with U v, V v and
    a = a(s, ‖V v‖), Δs = a_ss + a_sv ⟨U v, V v⟩ and Δv = a_vv U v. The first block has no v_j to
    send, and nothing reads the v of the last: both leave those weights out.
    """

    def __init__(self, features: int, radial: int, *, first: bool, last: bool) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.hidden = nn.Linear(features, features)
        self.phi_s, self.phi_r = (nn.Linear(features, features) for _ in range(2))
        self.filter_s, self.filter_r = (nn.Linear(radial, features, bias=False) for _ in range(2))
        if not first:
            self.phi_v = nn.Linear(features, features)
            self.filter_v = nn.Linear(radial, features, bias=False)
        self.mix_u, self.mix_v = (nn.Linear(features, features, bias=False) for _ in range(2))
        self.update_s = nn.Linear(features, features)
        self.update_n = nn.Linear(features, features, bias=False)
        self.a_ss, self.a_sv = (nn.Linear(features, features) for _ in range(2))
        if not last:
            self.a_vv = nn.Linear(features, features)

    def forward(self, s: Tensor, v: Tensor | None, basis: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Return s and v after the interaction."""
        phi = silu(self.hidden(s))
        dv = unit @ (self.filter_r(basis) * self.phi_r(phi)[:, None])
        s = s + (self.filter_s(basis) * self.phi_s(phi)[:, None]).sum(2)
        if v is not None:
            message = self.filter_v(basis) * self.phi_v(phi)[:, None]
            dv = dv + v + (message[:, :, :, None] * v[:, None]).sum(2)
        return self._update(s, dv)

    def _update(self, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        uv, vv = self.mix_u(v), self.mix_v(v)
        norm = ((vv * vv).sum(2) + TINY).sqrt()
        a = silu(self.update_s(s) + self.update_n(norm))
        s = s + self.a_ss(a) + self.a_sv(a) * (uv * vv).sum(2)
        return s, v if self.last else v + self.a_vv(a)[:, :, None] * uv


class PaiNNNetwork(Network):
    """Energy of molecules by equivariant message passing; see `PaiNN`."""

    arguments = ("features", "layers", "radial")

    def __init__(
        self,
        features: int,
        layers: int,
        radial: int,
        cutoff: float,
        heads: int = 1,
        reach: float | None = None,
    ) -> None:
        super().__init__(cutoff, heads, reach)
        self.features, self.layers, self.radial = features, layers, radial
        self.embedding = nn.Embedding(ELEMENTS, features)
        self.blocks = nn.ModuleList(
            Block(features, radial + 1, first=i == 0, last=i == layers - 1) for i in range(layers)
        )
        initialise(self.blocks)
        self.readout = Readout(features, heads)

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


class PaiNN(NetworkForceField):
    """The polarisable atom interaction network (Schütt, Unke & Gastegger 2021).

    Atoms carry scalar and vector features that exchange messages along the pair directions;
    DOI 10.48550/arXiv.2102.03150. Pairs are dense (every atom with every other of its molecule), so
    there is no neighbour list and no scatter: meant for molecules up to some tens of atoms. The radial
    basis is f_c·√(2/r_c)·sin(nπr/r_c)/r for n = 1 … radial, and f_c itself.

    Parameters
    ----------
    level : level of theory it predicts.
    features : scalar features, and vector features, per atom.
    layers : interactions.
    cutoff : Å, reach of one interaction.
    radial : number of radial basis functions.
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
        features: int = 64,
        layers: int = 2,
        cutoff: float = 5.0,
        radial: int = 16,
        seed: int = 0,
    ) -> None:
        require_at_least(self.kind, features=(features, 2), layers=(layers, 1), radial=(radial, 1))
        require_positive(self.kind, "Å", cutoff=cutoff)
        super().__init__(seeded(seed, lambda: PaiNNNetwork(features, layers, radial, cutoff)), level)
