"""From features of atoms to energies at one or several levels of theory."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


class Readout(nn.Module):
    """Atomic energies e_h = w_h · silu(W_h s + b_h) + c_h, one small perceptron per level of theory h.

    ========== ============== ===================
    symbol     parameter      shape
    ========== ============== ===================
    W_h        weight         (heads, width, d)
    b_h        bias           (heads, width)
    w_h        output         (heads, width)
    c_h        shift          (heads,)
    ========== ============== ===================

    Parameters
    ----------
    features : d, of each atom; width is half of it.
    heads : levels of theory; they share nothing but the features. All start alike.
    """

    def __init__(self, features: int, heads: int = 1) -> None:
        super().__init__()
        width = max(1, features // 2)
        weight, output = nn.init.xavier_uniform_(torch.empty(width, features)), torch.empty(1, width)
        nn.init.xavier_uniform_(output)
        self.weight = nn.Parameter(weight.repeat(heads, 1, 1))
        self.bias = nn.Parameter(torch.zeros(heads, width))
        self.output = nn.Parameter(output.repeat(heads, 1))
        self.shift = nn.Parameter(torch.zeros(heads))

    def forward(self, features: Tensor) -> Tensor:
        """Return (..., heads) eV from features (..., d)."""
        hidden = features @ self.weight.flatten(0, 1).T + self.bias.flatten()
        hidden = silu(hidden).view(*features.shape[:-1], *self.bias.shape)
        energies: Tensor = (hidden * self.output).sum(-1) + self.shift
        return energies

    def select(self, rows: Sequence[int]) -> "Readout":
        """Return a read-out with copies of some heads, in the given order."""
        other = Readout(self.weight.shape[2], len(rows)).to(self.weight)
        other.load_state_dict({name: value[list(rows)] for name, value in self.state_dict().items()})
        return other


def initialise(module: nn.Module) -> None:
    """Draw the weights of every linear layer from Glorot's uniform distribution, with zero biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
