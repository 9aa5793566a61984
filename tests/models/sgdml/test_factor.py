import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import SWAP, frames
from torch import Tensor

from fidsel.exceptions import UsageError
from fidsel.models.sgdml.factor import Factor, extend, factor_bytes, factorise, kernel_panels
from fidsel.models.sgdml.kernel import geometry, kernel
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.symmetry import pair_indices

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


def positive(size: int, seed: int = 0) -> Tensor:
    root = np.random.default_rng(seed).normal(size=(size, size))
    return torch.from_numpy(root @ root.T)


def panels(matrix: Tensor, ends: list[int]) -> list[Tensor]:
    """The lower half of a matrix, by rows up to each end."""
    return [matrix[start:stop, :stop].clone() for start, stop in zip([0, *ends], ends, strict=False)]


@settings(deadline=None, max_examples=25)
@given(ends=st.sets(st.integers(1, 30), min_size=1), seed=st.integers(0, 100))
def test_any_panels_make_the_same_factor(ends: set[int], seed: int) -> None:
    stops = sorted(ends)
    matrix, noise = positive(stops[-1], seed), torch.linspace(0.1, 1, stops[-1], dtype=torch.float64)
    lower = extend(Factor(), panels(matrix, stops), noise)
    assert lower is not None
    right = torch.eye(len(matrix), dtype=torch.float64)
    whole = matrix + torch.diag(noise)
    half = lower.divided(right).mT
    assert torch.allclose(whole @ lower.solve(right), right, atol=1e-9)
    assert torch.allclose(half @ whole @ half.mT, right, atol=1e-9)
    assert len(lower) == len(matrix)


def test_growing_leaves_the_factor_and_shares_its_rows() -> None:
    first = Factor().grown(positive(9)[:4, :4].clone(), torch.ones(4, dtype=torch.float64))
    assert first is not None
    before = first.panels[0].clone()
    grown = first.grown(positive(9)[4:].clone(), torch.ones(5, dtype=torch.float64))
    assert grown is not None
    assert grown.panels[0] is first.panels[0]
    assert torch.equal(first.panels[0], before)
    assert (len(first), len(grown)) == (4, 9)


def test_kernel_panels_are_the_lower_half_of_the_kernel() -> None:
    symmetries = torch.from_numpy(pair_indices(np.array([[0, 1, 2, 3], SWAP])))
    positions = torch.tensor(frames(9).dense().positions)
    described = geometry(positions, *(torch.full((6,), value, dtype=torch.float64) for value in (0.7, 1.0)))
    whole = kernel(described, described, symmetries, Matern(2.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(kernel_panels.__globals__["PANEL_ROWS"], "cpu", 13)
        parts = list(kernel_panels(described, symmetries, Matern(2.0), start=3))
    assert [part.shape[0] for part in parts] == [12, 12, 12]
    for part, start in zip(parts, (18, 30, 42), strict=True):
        assert torch.allclose(part, whole[start : start + 12, : start + 12], atol=1e-13)


def test_lambda_is_raised_where_it_must_be_and_said_so() -> None:
    matrix = torch.diag(torch.tensor([1.0, -5e-9], dtype=torch.float64))
    noise = torch.full((2,), 1e-10, dtype=torch.float64)
    assert factorise(lambda: panels(matrix, [1, 2]), noise)[1] == 100
    with pytest.raises(UsageError, match="not positive definite even with"):
        factorise(lambda: panels(-torch.eye(2, dtype=torch.float64), [2]), noise)


def test_a_pivot_below_the_noise_is_rounding() -> None:
    noise = torch.full((2,), 1e-10, dtype=torch.float64)
    wrong = torch.tensor([[1.0, 1.0], [1.0, 1.0 - 1.7e-10]], dtype=torch.float64)
    assert Factor().grown(wrong.clone(), noise) is None
    assert factorise(lambda: [wrong.clone()], noise)[1] == 10


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("last", [False, True])
def test_a_matrix_with_nan_has_no_factor(last: bool, device: str) -> None:
    matrix, noise = positive(6).to(device), torch.ones(6, dtype=torch.float64, device=device)
    place = -1 if last else 0
    matrix[place, place] = torch.nan
    assert Factor().grown(matrix.clone(), noise) is None
    with pytest.raises(UsageError, match="not positive definite even with"):
        factorise(lambda: [matrix.clone()], noise)


@pytest.mark.parametrize("rows", [1000, 2000])
def test_memory_is_that_of_the_lower_half(rows: int) -> None:
    stops = list(range(500, rows + 1, 500))
    lower = extend(
        Factor(),
        panels(torch.zeros(rows, rows, dtype=torch.float64), stops),
        torch.ones(rows, dtype=torch.float64),
    )
    assert lower is not None
    used = sum(panel.nbytes for panel in lower.panels)
    assert used < factor_bytes(rows) < 3 * used
