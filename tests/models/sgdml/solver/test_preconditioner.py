import pytest
import torch
from described import PAIRS, described, vector
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.solver.iterative import conjugate_gradients
from fidsel.models.sgdml.solver.matrix import Matrix
from fidsel.models.sgdml.solver.preconditioner import (
    FIRST,
    Columns,
    Preconditioner,
    Shape,
    partial_factor,
    silent,
)


def matrix(n: int, sigma: float = 5.0) -> Matrix:
    return Matrix.plain(described(n), PAIRS, Matern(sigma))


def whole(some: Matrix) -> torch.Tensor:
    return some.corner(some.pivots(torch.arange(len(some))))


def test_what_columns_lack_shrinks_to_nothing() -> None:
    some = matrix(10)
    left = []
    for rank in (5, 15, 30, 60):
        partial, lacking = partial_factor(some, Shape(rank, 0))
        product = partial.double @ partial.double.mT
        assert torch.allclose((whole(some) - product).diagonal(), lacking, atol=1e-9)
        left.append(float(lacking.sum() / whole(some).trace()))
    assert left == sorted(left, reverse=True)
    assert left[-1] < 1e-10
    again = (partial_factor(some, Shape(15, 0))[0].double for _ in range(2))
    assert torch.equal(*again)


def test_columns_are_those_that_explain_most() -> None:
    """The best factor of rank k lacks the smaller eigenvalues, a good one not much more."""
    some = matrix(20)
    best = float(torch.linalg.eigvalsh(whole(some))[:-60].sum())
    lacking = [float(partial_factor(some, Shape(60, 0), seed)[1].sum()) for seed in range(10)]
    assert best < min(lacking)
    assert max(lacking) < 10 * best


@settings(deadline=None, max_examples=15)
@given(first=st.integers(1, 48), more=st.integers(0, 20), lam=st.floats(1e-8, 1.0))
def test_the_preconditioner_inverts_what_it_says(first: int, more: int, lam: float) -> None:
    made = Preconditioner.of(matrix(8, 4.0), lam, Shape(first, min(more, 48 - first)))
    one = torch.eye(48, dtype=torch.float64)
    inverse = torch.stack([made(row) for row in one])
    columns = made.partial.dense()
    assert torch.allclose(inverse @ (columns @ columns.mT + made.shift * one), one, atol=1e-6)
    assert made.shift >= lam


def test_later_columns_lose_nothing_that_counts_in_single_precision() -> None:
    """Of 240 rows, the first 60 columns leave a part of 1e-5 of the diagonal, and 120 of 1e-7."""
    some = matrix(40)
    double, single = (partial_factor(some, shape) for shape in (Shape(120, 0), Shape(60, 60)))
    assert single[0].single.dtype == torch.float32
    assert float(single[1].sum()) == pytest.approx(float(double[1].sum()), rel=1e-3)
    columns = single[0].dense()
    assert torch.allclose((whole(some) - columns @ columns.mT).diagonal(), single[1], atol=1e-9)
    taken = []
    for shape in (Shape(120, 0), Shape(60, 60)):
        made = Preconditioner.of(some, 1e-6, shape)
        _, course = conjugate_gradients(
            lambda c: (some @ c).add_(c, alpha=1e-6), vector(240), made, 1e-6, 999
        )
        taken.append(course.iterations)
    assert taken[1] <= taken[0] + 3


@pytest.mark.parametrize("pieces", [{"PIECE_ROWS": 7, "CONVERTED": 20}, {"PIECE_ROWS": 1000, "CONVERTED": 1}])
def test_columns_are_multiplied_in_pieces(pieces: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pieces.items():
        monkeypatch.setattr(f"fidsel.models.sgdml.solver.preconditioner.{name}", {"cpu": value})
    columns = Columns(vector(120).view(30, 4), vector(150, 1).view(30, 5).float())
    dense = columns.dense()
    assert torch.allclose(columns.sums(vector(30)), dense.mT @ vector(30), atol=1e-12)
    assert torch.allclose(columns.combined(vector(9)), dense @ vector(9), atol=1e-12)
    assert torch.allclose(columns.gram(silent).tril(), (dense.mT @ dense).tril(), atol=1e-12)


def test_columns_save_iterations() -> None:
    some, lam = matrix(40), 1e-6
    taken = []
    for rank in (1, 30, 120):
        solution, course = conjugate_gradients(
            lambda c: (some @ c) + lam * c,
            vector(240),
            Preconditioner.of(some, lam, Shape(rank, 0)),
            1e-6,
            5000,
        )
        left = (some @ solution) + lam * solution - vector(240)
        assert float(left.norm() / vector(240).norm()) == pytest.approx(course.residual, rel=1e-6)
        assert course.residual <= 1e-6
        taken.append(course.iterations)
    assert taken[0] > 2 * taken[1] > 4 * taken[2]


def test_columns_are_told_of_as_they_come() -> None:
    heard: list[tuple[int, int, str]] = []
    Preconditioner.of(matrix(10), 1e-6, Shape(20, 4), lambda *told: heard.append(told))
    columns = [(done, of) for done, of, what in heard if what == "columns"]
    assert columns == [*((done, 24) for done in range(3, 19, 3)), (20, 24), (23, 24), (24, 24)]
    assert heard[-1] == (24, 24, "column products")


def test_columns_are_as_many_as_memory_allows() -> None:
    assert Shape.affordable(40, 1e9) == Shape(40, 0)
    assert Shape.affordable(100_000, 1e12).double == pytest.approx(12 * 100_000**0.5, abs=2)
    assert Shape.affordable(100_000, 1e12).single == 0
    small = Shape.affordable(100_000, 1.5e9)
    assert small.double == FIRST
    assert small.single > FIRST
    assert 1.4e9 < 100_000 * (8 * 16 + 8 * small.double + 4 * small.single) + 24 * small.rank**2 <= 1.5e9
    assert Shape.affordable(100_000, 1e7).rank == 0
