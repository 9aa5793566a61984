import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import SWAP, frames
from torch import Tensor

from fidsel.exceptions import FidselError
from fidsel.models.sgdml.iterative import (
    Preconditioner,
    affordable_rank,
    conjugate_gradients,
    kernel_product,
    partial_factor,
)
from fidsel.models.sgdml.kernel import Geometry, geometry, kernel
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.symmetry import pair_indices

PAIRS = torch.from_numpy(pair_indices(np.array([[0, 1, 2, 3], SWAP])))


def described(n: int) -> Geometry:
    known = (torch.full((6,), value, dtype=torch.float64) for value in (0.7, 1.0))
    return geometry(torch.tensor(frames(n).dense().positions), *known)


def vector(size: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size))


@pytest.mark.parametrize("matern", [Matern(0.5), Matern(8.0), Matern(2.0, 4.5)])
def test_products_need_no_matrix(matern: Matern) -> None:
    some = described(11)
    expected = kernel(some, some, PAIRS, matern) @ vector(66)
    assert torch.allclose(kernel_product(some, PAIRS, matern, vector(66)), expected, atol=1e-11)


def test_scaled_frames_have_a_scaled_kernel() -> None:
    some, root = described(5), torch.linspace(0.5, 2, 30, dtype=torch.float64)
    expected = root.unsqueeze(1) * kernel(some, some, PAIRS, Matern(3.0)) * root
    scaled = some.scaled(root)
    assert torch.allclose(kernel(scaled, scaled, PAIRS, Matern(3.0)), expected, atol=1e-13)
    assert torch.allclose(
        kernel_product(scaled, PAIRS, Matern(3.0), vector(30)), expected @ vector(30), atol=1e-12
    )


def test_what_columns_lack_shrinks_to_nothing() -> None:
    some = described(10)
    whole = kernel(some, some, PAIRS, Matern(5.0))
    left = []
    for rank in (5, 15, 30, 60):
        partial, lacking = partial_factor(some, PAIRS, Matern(5.0), rank)
        assert torch.allclose((whole - partial @ partial.mT).diagonal(), lacking, atol=1e-9)
        left.append(float(lacking.sum() / whole.trace()))
    assert left == sorted(left, reverse=True)
    assert left[-1] < 1e-10
    assert torch.equal(
        partial_factor(some, PAIRS, Matern(5.0), 15)[0], partial_factor(some, PAIRS, Matern(5.0), 15)[0]
    )


def test_columns_are_those_that_explain_most() -> None:
    """The best factor of rank k lacks the smaller eigenvalues, a good one not much more."""
    some = described(20)
    whole = kernel(some, some, PAIRS, Matern(5.0))
    best = float(torch.linalg.eigvalsh(whole)[:-60].sum())
    lacking = [float(partial_factor(some, PAIRS, Matern(5.0), 60, seed)[1].sum()) for seed in range(10)]
    assert best < min(lacking)
    assert max(lacking) < 10 * best


@settings(deadline=None, max_examples=15)
@given(rank=st.integers(1, 48), lam=st.floats(1e-8, 1.0))
def test_the_preconditioner_inverts_what_it_says(rank: int, lam: float) -> None:
    some = described(8)
    made = Preconditioner.of(some, PAIRS, Matern(4.0), lam, rank)
    inverse = torch.stack([made(row) for row in torch.eye(48, dtype=torch.float64)])
    matrix = made.partial @ made.partial.mT + made.shift * torch.eye(48, dtype=torch.float64)
    assert torch.allclose(inverse @ matrix, torch.eye(48, dtype=torch.float64), atol=1e-6)
    assert made.shift >= lam


def test_columns_save_iterations() -> None:
    some, lam = described(40), 1e-6
    taken = []
    for rank in (1, 30, 120):
        solution, course = conjugate_gradients(
            lambda c: kernel_product(some, PAIRS, Matern(5.0), c) + lam * c,
            vector(240),
            Preconditioner.of(some, PAIRS, Matern(5.0), lam, rank),
            1e-6,
            5000,
        )
        left = kernel_product(some, PAIRS, Matern(5.0), solution) + lam * solution - vector(240)
        assert float(left.norm() / vector(240).norm()) == pytest.approx(course.residual, rel=1e-6)
        assert course.residual <= 1e-6
        taken.append(course.iterations)
    assert taken[0] > 2 * taken[1] > 4 * taken[2]


def test_iteration_stops_where_it_must() -> None:
    scale = torch.logspace(0, 8, 50, dtype=torch.float64)
    solution, course = conjugate_gradients(
        lambda c: scale * c, vector(50), lambda r: r.clone(), 1e-12, iterations=3
    )
    assert course.iterations == 3
    assert course.residual > 1e-3
    solution, course = conjugate_gradients(
        lambda c: scale * c, torch.zeros(50, dtype=torch.float64), lambda r: r.clone(), 1e-6, 10
    )
    assert (course.iterations, course.residual, float(solution.abs().sum())) == (0, 0.0, 0.0)
    with pytest.raises(FidselError, match="left the numbers"):
        conjugate_gradients(lambda c: c * float("nan"), vector(50), lambda r: r.clone(), 1e-6, 10)


def test_columns_are_as_many_as_memory_allows() -> None:
    assert affordable_rank(40, 1e9) == 40
    assert affordable_rank(100_000, 1e12) == pytest.approx(12 * 100_000**0.5, abs=2)
    small = affordable_rank(100_000, 3e9)
    assert 0 < 8 * 100_000 * small < 3e9
    assert affordable_rank(100_000, 1e8) == 0
