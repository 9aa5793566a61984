"""EGNN on dense batches: messages from the features and the distance of each pair of atoms."""

from torch import Tensor, nn
from torch.nn.functional import silu

from fidsel.models.batch import Batch
from fidsel.models.network import Network, NetworkForceField, seeded
from fidsel.models.pairs import ELEMENTS, bessel, pairs
from fidsel.models.readout import Readout, initialise
from fidsel.models.require import require_at_least, require_positive


class Layer(nn.Module):
    """One layer of EGNN: messages m_ij = φ_e(h_i, h_j, r_ij)·f_c and h_i + φ_h(h_i, Σ_j m_ij).

    φ_e and φ_h have two linear layers each. The first is a sum of maps of its inputs, so that those of
    atoms act on (B, N, F) and only their sum is spread over pairs: nothing is concatenated.
    """

    def __init__(self, features: int, radial: int) -> None:
        super().__init__()
        self.receiver, self.hidden = (nn.Linear(features, features) for _ in range(2))
        self.sender, self.received = (nn.Linear(features, features, bias=False) for _ in range(2))
        self.radial = nn.Linear(radial, features, bias=False)
        self.message, self.update = (nn.Linear(features, features) for _ in range(2))

    def forward(self, h: Tensor, basis: Tensor, envelope: Tensor) -> Tensor:
        """Return features (B, N, F) after the layer, of basis (B, N, N, radial) and f_c (B, N, N, 1)."""
        pair = self.receiver(h)[:, :, None] + self.sender(h)[:, None] + self.radial(basis)
        received = (silu(self.message(silu(pair))) * envelope).sum(2)
        update: Tensor = self.update(silu(self.hidden(h) + self.received(received)))
        return h + update


class EGNNNetwork(Network):
    """Energy of molecules by messages along pairs; see `EGNN`."""

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
        self.blocks = nn.ModuleList(Layer(features, radial) for _ in range(layers))
        initialise(self.blocks)
        self.readout = Readout(features, heads)

    def latent(self, batch: Batch) -> Tensor:
        """Return the features after the last layer, (B, N, features)."""
        distance, _, envelope = pairs(batch, self.reach)
        basis = bessel(distance, self.cutoff, self.radial)
        h: Tensor = self.embedding(batch.numbers)
        for block in self.blocks:
            h = block(h, basis, envelope)
        return h


class EGNN(NetworkForceField):
    """The E(n) graph network (Satorras, Hoogeboom & Welling 2021, arXiv 2102.09844).

    Parameters
    ----------
    level : level of theory it predicts.
    features : per atom, and per message.
    layers : message passes.
    cutoff : Å, reach of one message.
    radial : number of radial basis functions.
    seed : decides the initial parameters.

    Examples
    --------
    >>> EGNN("pbe", features=8, layers=2, seed=1).network.settings()["layers"]
    2
    """

    kind = "egnn"
    architecture = EGNNNetwork

    def __init__(
        self,
        level: str = "",
        *,
        features: int = 128,
        layers: int = 5,
        cutoff: float = 5.0,
        radial: int = 16,
        seed: int = 0,
    ) -> None:
        require_at_least(self.kind, features=(features, 2), layers=(layers, 1), radial=(radial, 1))
        require_positive(self.kind, "Å", cutoff=cutoff)
        super().__init__(seeded(seed, lambda: EGNNNetwork(features, layers, radial, cutoff)), level)
