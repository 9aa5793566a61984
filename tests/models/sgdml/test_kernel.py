from collections.abc import Callable

import numpy as np
import pytest
import torch
from morse_molecule import SWAP, frames
from torch import Tensor

from fidsel.models.sgdml.kernel import (
    BLOCK_BYTES,
    Expansion,
    Geometry,
    describe,
    geometry,
    kernel,
)
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.symmetry import pair_indices

CENTRE, ONES = (torch.full((6,), value, dtype=torch.float64) for value in (0.7, 1.0))
PAIRS = torch.from_numpy(pair_indices(np.array([[0, 1, 2, 3], SWAP])))

POLYNOMIALS: dict[float, Callable[[Tensor], Tensor]] = {
    2.5: lambda t: 1 + t + t**2 / 3,
    3.5: lambda t: 1 + t + 2 * t**2 / 5 + t**3 / 15,
    4.5: lambda t: 1 + t + 3 * t**2 / 7 + 2 * t**3 / 21 + t**4 / 105,
}
"""Of Matérn kernels, Rasmussen & Williams 2006, equation 4.16."""


def positions(n: int, seed: int = 0) -> Tensor:
    return torch.tensor(frames(n, seed).dense().positions)


def described(n: int, seed: int = 0) -> Geometry:
    return geometry(positions(n, seed), CENTRE, ONES)


def scalar_kernel(left: Tensor, right: Tensor, matern: Matern) -> Tensor:
    """κ summed over symmetries between two flat geometries, as the definition says."""
    x, y = describe(left.view(1, -1, 3))[0], describe(right.view(1, -1, 3))[0]
    t = torch.linalg.vector_norm(x - y[PAIRS], dim=1) * (2 * matern.nu) ** 0.5 / matern.sigma
    return (POLYNOMIALS[matern.nu](t) * torch.exp(-t)).sum()


@pytest.mark.parametrize("matern", [Matern(0.3), Matern(3.0), Matern(1.0, 3.5), Matern(1.0, 4.5)])
def test_the_kernel_is_the_second_derivative_of_kappa(matern: Matern) -> None:
    left, right = described(2, seed=1), described(3, seed=2)
    matrix = kernel(left, right, PAIRS, matern)
    a, b = positions(2, seed=1)[1].flatten(), positions(3, seed=2)[2].flatten()
    hessian = torch.autograd.functional.hessian(lambda p, q: scalar_kernel(p, q, matern), (a, b))
    expected = left.basis[1].T @ hessian[0][1] @ right.basis[2]
    m = left.basis.shape[2]
    assert torch.allclose(matrix[m:, 2 * m :], expected, atol=1e-10)


def test_blocks_only_split_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    frames_ = described(7)
    whole = kernel(frames_, frames_, PAIRS, Matern(2.0))
    monkeypatch.setitem(BLOCK_BYTES, "cpu", 3000)
    assert torch.allclose(kernel(frames_, frames_, PAIRS, Matern(2.0)), whole, atol=1e-13)


def test_the_kernel_is_symmetric_and_positive() -> None:
    frames_ = described(8)
    matrix = kernel(frames_, frames_, PAIRS, Matern(1.0))
    assert torch.allclose(matrix, matrix.T, atol=1e-13)
    assert torch.linalg.eigvalsh(matrix).min() > 0


def test_the_basis_spans_every_force_that_distances_can_give() -> None:
    forces = torch.tensor(frames(5).dense().forces).flatten(1).unsqueeze(2)
    basis = described(5).basis
    assert torch.allclose(basis @ (basis.mT @ forces), forces, atol=1e-10)
    assert torch.allclose(basis.mT @ basis, torch.eye(basis.shape[2], dtype=torch.float64), atol=1e-12)


def test_the_expansion_is_the_kernel_times_coefficients() -> None:
    train, test = described(6), described(4, seed=3)
    m = train.basis.shape[2]
    coefficients = torch.randn(6, m, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    v = (train.reduced @ coefficients).squeeze(2)
    expansion = Expansion.unfold(train.x, v, PAIRS, CENTRE, ONES, Matern(1.5))
    forces = expansion(positions(4, seed=3))[1].flatten(1)
    expected = kernel(test, train, PAIRS, Matern(1.5)) @ coefficients.flatten()
    assert torch.allclose((test.basis.mT @ forces.unsqueeze(2)).flatten(), expected, atol=1e-9)


def test_forces_are_the_gradient_of_the_energy() -> None:
    train = described(6)
    expansion = Expansion.unfold(train.x, torch.randn_like(train.x), PAIRS, CENTRE, ONES, Matern(1.5))
    at = positions(1, seed=4)
    forces = expansion(at)[1]
    step = 1e-4 * torch.randn(at.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    slope = (expansion(at + step)[0] - expansion(at - step)[0]) / 2
    assert slope.item() == pytest.approx(-(forces * step).sum().item(), rel=1e-5)


def test_a_diatomic_has_one_internal_motion() -> None:
    bond = torch.tensor([[[0.0, 0, 0], [0.9, 0.1, 0]]], dtype=torch.float64)
    assert geometry(bond, ONES[:1], ONES[:1]).reduced.shape == (1, 1, 1)
