import numpy as np
import pytest
import torch
from architectures import REFERENCE, mixed
from torch import nn
from torch.nn.functional import silu

from fidsel.exceptions import UsageError
from fidsel.models import EGNN
from fidsel.models.networks.batch import Batch, pad
from fidsel.models.networks.egnn import NEIGHBOURS, REACH, TINY, EGNNNetwork
from fidsel.models.networks.pairs import bessel, envelope, pairs


def by_pairs(network: EGNNNetwork, batch: Batch, frame: int) -> torch.Tensor:
    """Return the features of one frame's atoms from concatenated inputs, pair by pair."""
    x = start = batch.positions[frame, batch.mask[frame]]
    h = network.embedding(batch.numbers[frame, batch.mask[frame]])
    for block in network.blocks:
        edge = torch.cat([block.receiver.weight, block.sender.weight, block.radial.weight], 1)
        node = torch.cat([block.hidden.weight, block.received.weight], 1)
        received, moved = torch.zeros_like(h), x.clone()
        for a in range(len(h)):
            for b in set(range(len(h))) - {a}:
                r = ((x[a] - x[b]).square().sum() + TINY).sqrt()[None]
                inputs = torch.cat([h[a], h[b], bessel(r, network.cutoff, network.radial)])
                message = silu(block.message(silu(edge @ inputs + block.receiver.bias)))
                f_c = envelope((start[a] - start[b]).norm() / network.reach)
                received[a] += message * f_c
                if not block.last:
                    share = REACH * torch.tanh(block.move(silu(block.displace(message * f_c))))
                    moved[a] += share * f_c * (x[a] - x[b])
        x, h = (
            moved,
            h + block.update(silu(torch.cat([h, received / NEIGHBOURS], 1) @ node.T + block.hidden.bias)),
        )
    return h


def test_dense_messages_equal_a_loop_over_pairs() -> None:
    torch.manual_seed(0)
    network, batch = EGNNNetwork(4, 3, 5, 3.0).double(), pad(mixed(), torch.float64)
    network.requires_grad_(requires_grad=False)
    features = network.latent(batch)
    for frame, mask in enumerate(batch.mask):
        torch.testing.assert_close(features[frame, mask], by_pairs(network, batch, frame))


class Collapse(nn.Module):
    """A layer that moves all atoms to one place."""

    def forward(
        self, h: torch.Tensor, x: torch.Tensor, *_: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return h, 0.0 * x


def test_atoms_moved_onto_each_other_have_finite_forces() -> None:
    model = EGNN("toy", features=8, layers=3, seed=1).to(dtype=torch.float64).replace(reference=REFERENCE)
    model.network.blocks[0] = Collapse()
    assert np.isfinite(model.predict(mixed()).forces).all()


def test_defaults_are_the_published_sizes() -> None:
    settings = EGNN().network.settings()
    assert (settings["features"], settings["layers"]) == (128, 5)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="layers of egnn must be a whole number ≥ 1, got 0"):
        EGNN(layers=0)
    with pytest.raises(UsageError, match="cutoff of egnn, in Å, must be a finite number > 0"):
        EGNN(cutoff=0.0)


def test_a_neighbour_moves_an_atom_by_a_tenth_of_their_distance_at_most() -> None:
    torch.manual_seed(0)
    network, batch = EGNNNetwork(4, 2, 5, 3.0).double(), pad(mixed(), torch.float64)
    first, found, x = network.blocks[0], pairs(batch, network.reach), batch.positions
    first.move.weight.data *= 1e6
    apart = x[:, :, None] - x[:, None]
    basis = bessel(found.distance, network.cutoff, network.radial)
    _, moved = first(network.embedding(batch.numbers), x, basis, apart, found.envelope)
    there = found.envelope.squeeze(-1) * apart.norm(dim=-1)
    assert ((moved - x).norm(dim=-1) <= REACH * there.sum(-1) + 1e-12).all()
