import math

import torch
from torch import nn
from torch.nn.functional import silu

from fidsel.models.networks.readout import Readout, initialise


def readout(heads: int = 3) -> Readout:
    """Return a read-out of five features whose heads differ."""
    torch.manual_seed(0)
    part = Readout(5, heads).double()
    for parameter in part.parameters():
        nn.init.normal_(parameter)
    return part


def test_each_head_is_a_perceptron_of_the_features() -> None:
    part, s = readout(), torch.randn(2, 4, 5, dtype=torch.float64)
    energies = part(s)
    assert energies.shape == (2, 4, 3)
    for h in range(3):
        hidden = silu(s @ part.weight[h].T + part.bias[h])
        torch.testing.assert_close(energies[..., h], hidden @ part.output[h] + part.shift[h])


def test_new_heads_start_alike() -> None:
    energies = Readout(6, 4)(torch.randn(7, 6))
    assert energies.std() > 0
    torch.testing.assert_close(energies, energies[:, :1].expand(7, 4))


def test_selected_heads_are_copies_in_the_given_order() -> None:
    part, s = readout(), torch.randn(4, 5, dtype=torch.float64)
    before = part(s).detach()
    chosen = part.select([2, 0, 2])
    torch.testing.assert_close(chosen(s), before[:, [2, 0, 2]])
    with torch.no_grad():
        chosen.weight.zero_()
    torch.testing.assert_close(part(s), before)


def test_initial_weights_fill_the_uniform_distribution_of_glorot() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(30, 50), nn.Linear(50, 10, bias=False))
    initialise(body)
    for layer, fans in zip(body, (80, 60), strict=True):
        bound = math.sqrt(6.0 / fans)
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert abs(layer.weight.std() * math.sqrt(3) / bound - 1) < 0.1
    assert (body[0].bias == 0).all()
