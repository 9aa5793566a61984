"""GemNet-T on dense batches: messages between directed edges, over the angles between them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from fidsel.arguments import NonNegativeInt, PositiveFloat, PositiveInt
from fidsel.models.gemnet.basis import Basis, BasisLayer
from fidsel.models.gemnet.layers import (
    ROOT_HALF,
    AtomUpdate,
    Dense,
    EdgeUpdate,
    Linear,
    Residuals,
    Scale,
    fitted_scales,
)
from fidsel.models.networks.base import Network, NetworkForceField, seeded
from fidsel.models.networks.batch import Batch
from fidsel.models.networks.pairs import ELEMENTS, pairs
from fidsel.models.networks.readout import Readout
from fidsel.models.require import counts_of, length_of


@dataclass(frozen=True)
class Sizes:
    """Widths and depths of the network; see `GemNet`."""

    blocks: int
    atom: int
    edge: int
    triplet: int
    bilinear: int
    radial: int
    spherical: int
    rbf: int
    cbf: int
    before_skip: int
    after_skip: int
    concat: int
    residuals: int


class Triplets(nn.Module):
    """Messages to each edge c → a from the edges b → a beside it, over the angle φ_cab.

    x_ba = σ(W m_ba) ⊙ W e_RBF(r_ba) is narrowed to `triplet` features; then

    x_ca,o = Σ_if W_oif Σ_l R_il(r_ca) Σ_b Y_l0(φ_cab) x_ba,f

    from the right to the left, so that nothing with a feature axis is as large as the number of
    triplets. Each pair of opposite edges gets both their messages, through a matrix for either.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.neighbour, self.filter = Dense(sizes.edge, sizes.edge), Linear(sizes.rbf, sizes.edge)
        self.down = Dense(sizes.edge, sizes.triplet)
        self.bilinear = Linear(sizes.cbf * sizes.triplet, sizes.bilinear)
        self.forth, self.back = (Dense(sizes.bilinear, sizes.edge) for _ in range(2))
        self.scale_product, self.scale_sum = Scale(), Scale()

    def forward(self, m: Tensor, basis: Basis) -> Tensor:
        """Return (B, N, N, edge) from the edges m, the same shape."""
        x = self.neighbour(m)
        x = self.down(self.scale_product(x * self.filter(basis.triplet), x))
        total = (basis.angle @ x).unflatten(2, (m.shape[1], -1))
        x = self.scale_sum(self.bilinear((basis.distance @ total).flatten(3)), x)
        message: Tensor = (self.forth(x) + self.back(x).transpose(1, 2)).mul_(ROOT_HALF)
        return message


class Interaction(nn.Module):
    """One block: triplets to edges, edges to atoms, atoms to edges."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.edge, self.triplets = Dense(sizes.edge, sizes.edge), Triplets(sizes)
        self.before_skip = Residuals(sizes.edge, sizes.before_skip)
        self.after_skip = Residuals(sizes.edge, sizes.after_skip)
        self.atom = AtomUpdate(sizes.edge, sizes.rbf, sizes.atom, sizes.residuals)
        self.concat = EdgeUpdate(sizes.atom, sizes.edge, sizes.edge)
        self.after_concat = Residuals(sizes.edge, sizes.concat)

    def forward(self, h: Tensor, m: Tensor, basis: Basis) -> tuple[Tensor, Tensor]:
        """Return atoms h (B, N, atom) and edges m (B, N, N, edge) after the interaction."""
        x = self.before_skip((self.edge(m) + self.triplets(m, basis)).mul_(ROOT_HALF))
        m = self.after_skip((m + x).mul_(ROOT_HALF))
        h = (h + self.atom(m, basis.atom)).mul_(ROOT_HALF)
        return h, (m + self.after_concat(self.concat(h, m))).mul_(ROOT_HALF)


class GemNetNetwork(Network):
    """Energy of molecules by messages between directed edges; see `GemNet`.

    Parameters
    ----------
    sizes : fields of `Sizes`.
    calibrated : whether the scale factors were fitted to data already.
    """

    arguments = ("calibrated",)
    first_modules = ("embedding", "edge", "interactions.0", "outputs.0")

    @property
    def last_modules(self) -> tuple[str, ...]:
        """Names of the last interaction, its output block and the read-out."""
        return (f"interactions.{self.sizes.blocks - 1}", f"outputs.{self.sizes.blocks}", "readout")

    def __init__(
        self,
        sizes: Mapping[str, int],
        cutoff: float,
        heads: int = 1,
        reach: float | None = None,
        *,
        calibrated: bool = False,
    ) -> None:
        super().__init__(cutoff, heads, reach)
        self.sizes, self.calibrated = Sizes(**sizes), calibrated
        s = self.sizes
        self.embedding = nn.Embedding(ELEMENTS, s.atom)
        self.basis = BasisLayer(s.radial, s.spherical, s.rbf, s.cbf, self.reach / cutoff)
        self.edge = EdgeUpdate(s.atom, s.radial, s.edge)
        self.interactions = nn.ModuleList(Interaction(s) for _ in range(s.blocks))
        self.outputs = nn.ModuleList(
            AtomUpdate(s.edge, s.rbf, s.atom, s.residuals) for _ in range(s.blocks + 1)
        )
        self.readout = Readout(s.atom, heads)

    def settings(self) -> dict[str, Any]:
        """Return the JSON-able arguments that rebuild the network."""
        return super().settings() | {"sizes": asdict(self.sizes)}

    def extend(self, reach: float) -> None:
        """Let the envelope end at another distance, and the basis hold up to it."""
        super().extend(reach)
        self.basis.resolve(reach / self.cutoff)

    def latent(self, batch: Batch) -> Tensor:
        """Return the outputs of all blocks, summed, (B, N, atom)."""
        basis = self.basis(batch, self.cutoff, self.reach)
        h: Tensor = self.embedding(batch.numbers)
        m = self.edge(h, basis.radial)
        total: Tensor = self.outputs[0](m, basis.output)
        for interaction, output in zip(self.interactions, self.outputs[1:], strict=True):
            h, m = interaction(h, m, basis)
            total = total + output(m, basis.output)
        return total / math.sqrt(len(self.outputs))

    def calibrate(self, batch: Batch) -> None:
        """Fit every scale factor to the molecules of a batch, in the order the features pass them."""
        if self.calibrated:
            return
        edges = pairs(batch, self.reach).envelope[..., 0] > 0
        with fitted_scales(self, batch.mask, edges):
            self.latent(batch)
        self.calibrated = True


class GemNet(NetworkForceField):
    """GemNet-T: messages between directed edges over the angle between them (accurate and slow).

    Gasteiger, Becker & Günnemann 2021, DOI 10.48550/arXiv.2106.08903, written from its equations: directed
    edges carry the features, edges that end at the same atom exchange messages over the angle between them,
    and atoms and edges update each other. Edges and triplets are dense (every atom with every other of its
    molecule): meant for molecules up to some tens of atoms. Forces are −∇E.

    Different from the paper: the defaults are a smaller network that trains on a CPU (the published
    sizes are blocks=4, atom=128, edge=128, triplet=64, bilinear=64); the activation is silu(x)/0.56,
    of variance 1 for standard normal x, not silu(x)/0.6, of mean square 1; the outputs of all blocks are
    summed, times 1/√(blocks + 1), before the last layer, which is the `Readout` of each level with one
    hidden layer, not a linear map; scale factors start fitted to the training frames and are trained
    with the rest; weights of the circular basis start normal, not orthogonal; the frequencies of the
    basis functions are not trained.

    Parameters
    ----------
    level : level of theory it predicts.
    blocks : interactions; 4 in the published network, which costs four times as much as the default.
    atom : features per atom (published: 128).
    edge : features per edge (published: 128).
    triplet : features per edge inside the sum over triplets (published: 64).
    bilinear : features per edge after the sum over triplets (published: 64).
    radial : radial functions, of each order.
    spherical : orders of the Legendre polynomials, from 0.
    rbf : projections of the radial basis that all blocks share.
    cbf : projections of the circular basis that all blocks share.
    before_skip : residual layers of an edge before its skip connection.
    after_skip : residual layers of an edge after its skip connection.
    concat : residual layers of an edge after it saw its atoms.
    residuals : residual layers of an atom.
    cutoff : cutoff radius, Å: the reach of one interaction.
    seed : decides the initial parameters.

    Examples
    --------
    >>> GemNet("pbe", blocks=1, atom=8, edge=8, seed=1).network.settings()["sizes"]["spherical"]
    7
    """

    kind = "gemnet"
    architecture = GemNetNetwork

    def __init__(
        self,
        level: str = "",
        *,
        blocks: PositiveInt = 2,
        atom: PositiveInt = 64,
        edge: PositiveInt = 64,
        triplet: PositiveInt = 32,
        bilinear: PositiveInt = 32,
        radial: PositiveInt = 6,
        spherical: PositiveInt = 7,
        rbf: PositiveInt = 16,
        cbf: PositiveInt = 16,
        before_skip: NonNegativeInt = 1,
        after_skip: NonNegativeInt = 1,
        concat: NonNegativeInt = 1,
        residuals: NonNegativeInt = 2,
        cutoff: PositiveFloat = 5.0,
        seed: int = 0,
    ) -> None:
        sizes = Sizes(
            blocks, atom, edge, triplet, bilinear, radial, spherical,
            rbf, cbf, before_skip, after_skip, concat, residuals,
        )  # fmt: skip
        layers = ("before_skip", "after_skip", "concat", "residuals")
        least = {name: (size, 0 if name in layers else 1) for name, size in asdict(sizes).items()}
        counts, reach = counts_of(self.kind, **least), length_of(self.kind, "cutoff", cutoff)
        super().__init__(seeded(seed, lambda: GemNetNetwork(counts, reach)), level)
