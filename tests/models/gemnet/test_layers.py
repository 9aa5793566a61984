import math

import pytest
import torch
from torch import Tensor, nn

from fidsel.models.gemnet.layers import (
    AtomUpdate,
    EdgeUpdate,
    Linear,
    Residuals,
    Scale,
    activation,
    fitted_scales,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 64), (64, 16), (16, 64)])
def test_a_linear_map_keeps_the_variance_and_drops_the_mean(inputs: int, outputs: int) -> None:
    layer = Linear(inputs, outputs)
    assert layer(torch.randn(4000, inputs)).var().item() == pytest.approx(1.0, rel=0.05)
    assert layer(torch.full((1, inputs), 3.0)).abs().max() < 1e-5


def test_the_activation_keeps_the_variance() -> None:
    assert activation(torch.randn(100_000)).var() == pytest.approx(1.0, abs=0.02)


def test_deep_stacks_neither_explode_nor_vanish() -> None:
    x = Residuals(64, 8)(torch.randn(500, 64))
    assert 0.3 < x.var() < 3.0
    edges = EdgeUpdate(32, 16, 64)(torch.randn(20, 5, 32), torch.randn(20, 5, 5, 16))
    assert edges.shape == (20, 5, 5, 64)
    assert 0.7 < edges.square().mean() < 1.4


def test_an_edge_sees_both_its_atoms_and_which_is_which() -> None:
    layer, h, e = EdgeUpdate(4, 2, 8), torch.randn(1, 3, 4), torch.randn(1, 3, 3, 2)
    weights = torch.cat([layer.source.weight, layer.target.weight, layer.edge.weight], 1) / math.sqrt(3)
    c, a = 2, 1
    expected = activation(weights @ torch.cat([h[0, c], h[0, a], e[0, a, c]]))
    torch.testing.assert_close(layer(h, e)[0, a, c], expected)


def test_an_atom_sums_the_edges_that_point_to_it() -> None:
    layer, m, rbf = AtomUpdate(8, 2, 4, 1), torch.randn(1, 3, 3, 8), torch.randn(1, 3, 3, 2)
    before = layer(m, rbf)
    rbf[0, 1, 2] += 1.0
    changed = (layer(m, rbf) != before).any(-1)
    assert changed.tolist() == [[False, True, False]]


class Tripled(nn.Module):
    """A network whose scaled feature has three times the spread of what it is made from."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(3.0 * x, x)


def test_a_scale_is_fitted_to_the_real_entries_and_then_kept() -> None:
    network, atoms = Tripled(), torch.tensor([[True, True, False]])
    x = torch.randn(1, 3, 4)
    x[0, 2] = 1e6
    edges = torch.ones(1, 3, 3, dtype=torch.bool)
    with fitted_scales(network, atoms, edges):
        torch.testing.assert_close(network(x), x)
    network(torch.randn(1, 3, 4))
    assert network.scale.log.exp().item() == pytest.approx(1 / 3)


def test_a_scale_stays_where_there_is_nothing_to_fit_to() -> None:
    network, nothing = Tripled(), torch.zeros(1, 3, dtype=torch.bool)
    with fitted_scales(network, nothing, nothing[..., None].expand(1, 3, 3)):
        network(torch.randn(1, 3, 4))
    with fitted_scales(network, ~nothing, nothing[..., None].expand(1, 3, 3)):
        network(torch.zeros(1, 3, 4))
    assert network.scale.log.item() == 0.0
