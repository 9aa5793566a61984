"""PaiNN on dense batches: an equivariant message-passing network for small molecules."""

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from fidsel.errors import UsageError
from fidsel.models.contract import Tensors
from fidsel.models.network import Network, NetworkForceField

ELEMENTS = 119
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

    frequencies: Tensor

    def __init__(self, features: int, layers: int, cutoff: float, radial: int) -> None:
        super().__init__()
        self.features, self.layers, self.cutoff, self.radial = features, layers, cutoff, radial
        self.embedding = nn.Embedding(ELEMENTS, features)
        self.blocks = nn.ModuleList(
            Block(features, radial + 1, first=i == 0, last=i == layers - 1) for i in range(layers)
        )
        self.hidden = nn.Linear(features, features // 2)
        self.output = nn.Linear(features // 2, 1)
        frequencies = torch.arange(1, radial + 1) * (math.pi / cutoff)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self._initialise()

    def settings(self) -> dict[str, Any]:
        """Return features, layers, cutoff and radial."""
        return {name: getattr(self, name) for name in ("features", "layers", "cutoff", "radial")}

    def latent(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Return the scalar features after the last interaction, (B, N, features)."""
        basis, unit = self._geometry(positions, mask)
        s: Tensor = self.embedding(numbers)
        v: Tensor | None = None
        for block in self.blocks:
            s, v = block(s, v, basis, unit)
        return s

    def readout(self, latent: Tensor) -> Tensor:
        """Return atomic energies (B, N) eV."""
        energies: Tensor = self.output(silu(self.hidden(latent))).squeeze(-1)
        return energies

    def _geometry(self, positions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the radial basis (B, N, N, radial + 1), zero off the pairs, and r̂ (B, N, 3, N).

        With t = r/r_c the envelope is f_c = 1 − 28 t⁶ + 48 t⁷ − 21 t⁸ up to r_c, two derivatives of
        which vanish there; the basis is f_c·√(2/r_c)·sin(nπt)/r for n = 1 … radial, and f_c itself.
        """
        n = mask.shape[1]
        itself = torch.eye(n, dtype=torch.bool, device=mask.device)
        pairs = (mask[:, :, None] & mask[:, None, :] & ~itself)[..., None]
        d = positions[:, None] - positions[:, :, None]
        # √ has no derivative at zero: what is no pair is put at 1 Å before it, and at f_c = 0 after.
        r = torch.where(pairs, (d * d).sum(-1, keepdim=True), 1.0).sqrt()
        t = (r / self.cutoff).clamp(max=1.0)
        envelope = (1.0 - t**6 * (28.0 - 48.0 * t + 21.0 * t * t)) * pairs
        waves = torch.sin(r * self.frequencies) * (envelope * math.sqrt(2.0 / self.cutoff) / r)
        return torch.cat([waves, envelope], -1), (d / r).transpose(2, 3)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class PaiNN(NetworkForceField):
    """The polarisable atom interaction network (Schütt, Unke & Gastegger 2021).

    Atoms carry scalar and vector features that exchange messages along the pair directions;
    DOI 10.48550/arXiv.2102.03150. Pairs are dense (every atom with every other of its molecule), so
    there is no neighbour list and no scatter: meant for molecules up to some tens of atoms.

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
    >>> PaiNN("pbe", features=8, layers=2, seed=1).network.settings()
    {'features': 8, 'layers': 2, 'cutoff': 5.0, 'radial': 16}
    """

    kind = "painn"

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
        for name, value, least in (("features", features, 2), ("layers", layers, 1), ("radial", radial, 1)):
            if value < least:
                raise UsageError(f"{name} of painn must be ≥ {least}, got {value}")
        if not cutoff > 0:
            raise UsageError(f"cutoff of painn must be positive Å, got {cutoff}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = PaiNNNetwork(features, layers, cutoff, radial)
        super().__init__(network, level)

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from."""
        return cls(str(settings["level"]), **settings["network"]).restored(settings, tensors)
