import pytest
import torch
from architectures import mixed
from torch.nn.functional import silu

from fidsel.errors import UsageError
from fidsel.models import EGNN
from fidsel.models.batch import Batch, pad
from fidsel.models.egnn import EGNNNetwork
from fidsel.models.pairs import bessel, envelope


def by_pairs(network: EGNNNetwork, batch: Batch, frame: int) -> torch.Tensor:
    """Return the features of one frame's atoms from concatenated inputs, pair by pair."""
    positions = batch.positions[frame, batch.mask[frame]]
    h = network.embedding(batch.numbers[frame, batch.mask[frame]])
    for block in network.blocks:
        edge = torch.cat([block.receiver.weight, block.sender.weight, block.radial.weight], 1)
        node = torch.cat([block.hidden.weight, block.received.weight], 1)
        received = torch.zeros_like(h)
        for a in range(len(h)):
            for b in set(range(len(h))) - {a}:
                r = (positions[a] - positions[b]).norm()[None]
                inputs = torch.cat([h[a], h[b], bessel(r, network.cutoff, network.radial)])
                message = silu(block.message(silu(edge @ inputs + block.receiver.bias)))
                received[a] += message * envelope(r / network.reach)
        h = h + block.update(silu(torch.cat([h, received], 1) @ node.T + block.hidden.bias))
    return h


def test_dense_messages_equal_a_loop_over_pairs() -> None:
    torch.manual_seed(0)
    network, batch = EGNNNetwork(4, 3, 5, 3.0).double(), pad(mixed(), torch.float64)
    network.requires_grad_(requires_grad=False)
    features = network.latent(batch)
    for frame, mask in enumerate(batch.mask):
        torch.testing.assert_close(features[frame, mask], by_pairs(network, batch, frame))


def test_defaults_are_the_published_sizes() -> None:
    settings = EGNN().network.settings()
    assert (settings["features"], settings["layers"]) == (128, 5)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="layers of egnn must be ≥ 1, got 0"):
        EGNN(layers=0)
    with pytest.raises(UsageError, match="cutoff of egnn must be positive"):
        EGNN(cutoff=0.0)
