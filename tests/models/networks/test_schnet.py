import math

import pytest
import torch
from architectures import mixed

from fidsel.exceptions import UsageError
from fidsel.models import SchNet
from fidsel.models.networks.batch import Batch, pad
from fidsel.models.networks.pairs import envelope, gaussians
from fidsel.models.networks.schnet import Filters, SchNetNetwork, ssp, upper_triangle


def small() -> SchNetNetwork:
    torch.manual_seed(0)
    network = SchNetNetwork(4, 3, 5, 3.0).double()
    torch.nn.init.normal_(network.filters.bias_in)
    torch.nn.init.normal_(network.filters.bias_out)
    return network.requires_grad_(requires_grad=False)


def by_pairs(network: SchNetNetwork, batch: Batch, frame: int) -> torch.Tensor:
    """Return the features of one frame's atoms by the equations of the paper, pair by pair."""
    positions, part = batch.positions[frame, batch.mask[frame]], network.filters
    x = network.embedding(batch.numbers[frame, batch.mask[frame]])
    for i, block in enumerate(network.blocks):
        message = torch.zeros_like(x)
        for a in range(len(x)):
            for b in set(range(len(x))) - {a}:
                r = (positions[a] - positions[b]).norm()[None]
                g = gaussians(r, network.cutoff, network.radial)
                w = ssp(g @ part.weight_in[i] + part.bias_in[i]) @ part.weight_out[i] + part.bias_out[i]
                message[a] += (w * envelope(r / network.reach))[0] * block.inward(x[b])
        x = x + block.outward(ssp(block.hidden(message)))
    return x


def test_dense_convolutions_equal_a_loop_over_pairs() -> None:
    network, batch = small(), pad(mixed(), torch.float64)
    features = network.latent(batch)
    for frame, mask in enumerate(batch.mask):
        torch.testing.assert_close(features[frame, mask], by_pairs(network, batch, frame))


def test_filters_are_symmetric_and_vanish_with_the_envelope() -> None:
    torch.manual_seed(0)
    distance = 1 + 4 * torch.rand(2, 5, 5, 1)
    distance = distance + distance.transpose(1, 2)
    f_c = (distance < 6).float()
    filters = Filters(3, 2, 4)(distance, f_c, 6.0)
    assert filters.shape == (2, 2, 5, 5, 3)
    torch.testing.assert_close(filters, filters.transpose(2, 3))
    outside = (f_c == 0).expand(2, 2, 5, 5, 3)
    assert (filters[outside] == 0).all()
    assert (filters[~outside] != 0).all()


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_the_upper_triangle_gives_a_symmetric_matrix_back(n: int) -> None:
    matrix = torch.randn(n, n)
    matrix = matrix + matrix.T
    upper, entry = upper_triangle(n, torch.device("cpu"))
    assert len(upper) == n * (n + 1) // 2
    torch.testing.assert_close(matrix.flatten()[upper][entry].view(n, n), matrix)


def test_the_activation_is_the_shifted_softplus() -> None:
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(ssp(x), torch.log(0.5 * x.exp() + 0.5))
    assert abs(ssp(torch.zeros(1, dtype=torch.float64))) < 1e-15
    assert math.isclose(ssp(torch.tensor([50.0])).item(), 50 - math.log(2), rel_tol=1e-6)


def test_defaults_are_the_published_sizes() -> None:
    settings = SchNet().network.settings()
    assert settings == {"features": 64, "layers": 6, "radial": 25, "cutoff": 5.0, "heads": 1, "reach": 5.0}


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="radial of schnet must be a whole number ≥ 2, got 1"):
        SchNet(radial=1)
    with pytest.raises(UsageError, match="cutoff of schnet, in Å, must be a finite number > 0"):
        SchNet(cutoff=0.0)
