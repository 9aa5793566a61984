"""What networks of equal layers share: embedded elements, blocks one after the other, a read-out."""

from abc import abstractmethod

from torch import nn

from fidsel.models.networks.base import Network
from fidsel.models.networks.pairs import ELEMENTS
from fidsel.models.networks.readout import Readout


class LayeredNetwork(Network):
    """A network of blocks that pass features of atoms on; subclasses give `make_blocks` and `latent`.

    Parameters
    ----------
    features : of each atom.
    layers : number of blocks.
    radial : number of radial functions.
    cutoff, heads, reach : see `Network`.
    """

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
        self.blocks = self.make_blocks()
        self.readout = Readout(features, heads)

    @abstractmethod
    def make_blocks(self) -> nn.ModuleList:
        """Return the blocks, and make what else they need."""
