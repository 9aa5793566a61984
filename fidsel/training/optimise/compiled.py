"""Functions of tensors as machine code."""

from collections.abc import Callable
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx


def compiled(
    function: Callable[..., Any], *arguments: Any, backend: str = "inductor"
) -> Callable[..., Any]:  # Any: tensors, and tuples of them
    """Return a function as machine code for arguments of the same shapes as the given ones.

    Derivatives inside the function are written out first, so it may contain some of any order; the
    code itself has none.

    Parameters
    ----------
    function : no bound method, whose arguments would be miscounted.
    arguments : tensors, or tuples of tensors.
    backend : of `torch.compile`; "inductor" needs a C++ compiler and takes minutes for a large function.

    Examples
    --------
    >>> slope = torch.func.grad(lambda x: (x**3).sum())
    >>> compiled(slope, torch.zeros(1), backend="eager")(torch.tensor([2.0]))
    tensor([12.])
    """
    traced = make_fx(function)(*arguments)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return torch.compile(traced, backend=backend)
