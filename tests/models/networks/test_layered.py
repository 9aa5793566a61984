import pytest
import torch
from architectures import mixed
from torch import Tensor, nn

from fidsel.models.networks.batch import Batch, pad
from fidsel.models.networks.layered import LayeredNetwork


class Mean(LayeredNetwork):
    """Features of an atom and of its frame's mean, layer by layer."""

    def make_blocks(self) -> nn.ModuleList:
        return nn.ModuleList(nn.Linear(self.features, self.features) for _ in range(self.layers))

    def latent(self, batch: Batch) -> Tensor:
        features = self.embedding(batch.numbers)
        for block in self.blocks:
            mean = (features * batch.mask[..., None]).sum(1, keepdim=True)
            features = features + block(mean).tanh()
        return features


def test_a_subclass_gives_blocks_and_latent_features_alone() -> None:
    torch.manual_seed(0)
    network = Mean(features=6, layers=3, radial=4, cutoff=5.0, heads=2).double()
    assert len(network.blocks) == 3
    energy = network.energy(pad(mixed(), torch.float64, heads=1))
    alone = [network.energy(pad(mixed()[[i]], torch.float64, heads=1)) for i in range(len(mixed()))]
    torch.testing.assert_close(energy, torch.cat(alone))
    assert len(set(energy.tolist())) == 3, "the toy sees elements only, of which there are three sets"


def test_settings_rebuild_the_network() -> None:
    network = Mean(features=6, layers=2, radial=4, cutoff=5.0)
    network.extend(7.0)
    assert network.settings() == {
        "features": 6, "layers": 2, "radial": 4, "cutoff": 5.0, "heads": 1, "reach": 7.0,
    }  # fmt: skip
    again = Mean(**network.settings())
    again.load_state_dict(network.state_dict())
    assert again.settings() == network.settings()


def test_a_network_without_blocks_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        LayeredNetwork(4, 1, 4, 5.0)  # type: ignore[abstract]
