import numpy as np
import pytest
import torch
from described import PAIRS, described, vector
from torch import Tensor

from fidsel.models.sgdml.cores import one_core_each
from fidsel.models.sgdml.kernel import Geometry, geometry, kernel
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.solver import matrix
from fidsel.models.sgdml.solver.matrix import Matrix
from fidsel.models.sgdml.symmetry import pair_indices

NONE = PAIRS[:1]


@pytest.fixture(params=[256, 4, 3])
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames in one block, or in several, of which the last may be smaller."""
    monkeypatch.setitem(matrix.TILE_FRAMES, "cpu", request.param)


def ring(n: int) -> tuple[Geometry, Tensor]:
    """Return frames of five atoms, three of which turn around: permutations that do not undo themselves."""
    rng = np.random.default_rng(3)
    rest = np.array([[0, 0, 0], [1.1, 0, 0], [-0.3, 1.0, 0], [-0.3, -0.5, 0.9], [-0.3, -0.5, -0.9]])
    turns = pair_indices(np.array([[0, 1, 2, 3, 4], [0, 1, 3, 4, 2], [0, 1, 4, 2, 3]]))
    known = (torch.full((10,), value, dtype=torch.float64) for value in (0.7, 1.0))
    positions = torch.from_numpy(rest + 0.1 * rng.normal(size=(n, 5, 3)))
    return geometry(positions, *known), torch.from_numpy(turns)


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("matern", [Matern(0.5), Matern(8.0), Matern(2.0, 4.5)])
@pytest.mark.parametrize("symmetries", [PAIRS, NONE])
def test_products_need_no_matrix(matern: Matern, symmetries: Tensor) -> None:
    some = described(11)
    expected = kernel(some, some, symmetries, matern) @ vector(66)
    assert torch.allclose(Matrix.plain(some, symmetries, matern) @ vector(66), expected, atol=1e-11)


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("worthwhile", [0.0, 1.0])
def test_entries_that_stay_may_be_treated_apart(worthwhile: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fidsel.models.sgdml.solver.matrix.WORTHWHILE", worthwhile)
    some, turns = ring(10)
    c = vector(10 * some.width)
    expected = kernel(some, some, turns, Matern(1.0)) @ c
    assert torch.allclose(Matrix.plain(some, turns, Matern(1.0)) @ c, expected, atol=1e-11)


def test_threads_do_not_change_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(matrix.TILE_FRAMES, "cpu", 8)
    product, before = Matrix.plain(described(60), PAIRS, Matern(2.0)), torch.get_num_threads()
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        with one_core_each():
            found.append(product @ vector(360))
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_rows_and_columns_are_scaled() -> None:
    some, root = described(5), torch.linspace(0.5, 2, 30, dtype=torch.float64)
    whole = root.unsqueeze(1) * kernel(some, some, PAIRS, Matern(3.0)) * root
    scaled = Matrix(some, PAIRS, Matern(3.0), root)
    assert torch.allclose(scaled @ vector(30), whole @ vector(30), atol=1e-12)
    assert torch.allclose(scaled.diagonal(), whole.diagonal(), atol=1e-13)
    rows = torch.tensor([3, 28, 7])
    pivots = scaled.pivots(rows)
    assert torch.allclose(scaled.part(slice(6, 18), pivots), whole[6:18, rows], atol=1e-13)
    assert torch.allclose(scaled.corner(pivots), whole[rows][:, rows], atol=1e-13)


def test_scaled_frames_have_a_scaled_kernel() -> None:
    some, root = described(5), torch.linspace(0.5, 2, 30, dtype=torch.float64)
    expected = root.unsqueeze(1) * kernel(some, some, PAIRS, Matern(3.0)) * root
    scaled = some.scaled(root)
    assert torch.allclose(kernel(scaled, scaled, PAIRS, Matern(3.0)), expected, atol=1e-13)
