"""What networks of equal layers share: embedded elements, blocks one after the other, a read-out."""

from abc import abstractmethod
from typing import ClassVar

from torch import nn

from fidsel.models.networks.base import Network, NetworkForceField, seeded
from fidsel.models.networks.pairs import ELEMENTS
from fidsel.models.networks.readout import Readout
from fidsel.models.require import counts_of, length_of


class LayeredNetwork(Network):
    """A network of blocks that pass features of atoms on; subclasses give `make_blocks` and `latent`."""

    arguments = ("features", "layers", "radial")
    first_modules = ("embedding", "blocks.0")

    @property
    def last_modules(self) -> tuple[str, ...]:
        """Names of the last block and the read-out."""
        return (f"blocks.{self.layers - 1}", "readout")

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
        self.blocks = self.make_blocks()
        self.readout = Readout(features, heads)

    @abstractmethod
    def make_blocks(self) -> nn.ModuleList:
        """Return the blocks, and make what else they need."""


class LayeredForceField(NetworkForceField):
    """A force field of a `LayeredNetwork`; subclasses give its sizes their defaults."""

    architecture: type[LayeredNetwork]
    least_radial: ClassVar[int] = 1
    """Fewest radial functions."""

    def __init__(self, level: str, features: int, layers: int, radial: int, cutoff: float, seed: int) -> None:
        least = {"features": (features, 2), "layers": (layers, 1), "radial": (radial, self.least_radial)}
        sizes, reach = counts_of(self.kind, **least), length_of(self.kind, "cutoff", cutoff)
        super().__init__(seeded(seed, lambda: self.architecture(**sizes, cutoff=reach)), level)
