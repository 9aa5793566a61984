import numpy as np

from fidsel.selector import Pool
from fidsel.selector.pickers.fine_grid import FineGrid

ERRORS = np.array([0.0, 0.3, 0.1, 0.9, 0.2, 0.4])
FEATURES = np.array([[0.0], [1.0], [3.0], [7.0], [8.0], [9.0]])
POOL = Pool(FEATURES, np.zeros(6, int), ERRORS, np.zeros(6), np.ones((6, 1)), np.arange(6) == 0)
GRID = FineGrid.of(POOL, np.arange(1, 6), np.array([0, 0, 1, 2, 2]))


def test_clusters_are_ranked_by_their_rmse() -> None:
    np.testing.assert_allclose(GRID.rmse, [np.sqrt(0.05), 0.9, np.sqrt(0.1)])
    assert GRID.rank.tolist() == [2, 0, 1]
    assert GRID.size.tolist() == [2, 1, 2]
    np.testing.assert_allclose(GRID.distances, [1.0, 1.0, 0.0, 0.5, 0.5])


def test_turns_count_in_each_cluster_from_its_best_frame() -> None:
    assert GRID.turns((-GRID.errors,)).tolist() == [0, 1, 0, 1, 0]
    assert GRID.turns((GRID.errors,)).tolist() == [1, 0, 0, 0, 1]
    nothing, last = np.zeros(5), np.array([5.0, 4, 3, 2, 1])
    assert GRID.turns((last, nothing)).tolist() == [1, 0, 0, 1, 0], "ties by the key before the last"


def test_any_clusters_give_every_place_once() -> None:
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(7), 5))
    pool = Pool(
        rng.normal(size=(35, 2)), np.zeros(35, int), rng.random(35), np.zeros(35), np.ones((35, 1)),
        np.zeros(35, bool),
    )  # fmt: skip
    grid = FineGrid.of(pool, np.arange(35), fine)
    turns = grid.turns((rng.random(35),))
    for c in range(7):
        assert sorted(turns[fine == c].tolist()) == [0, 1, 2, 3, 4]
    assert sorted(grid.rank.tolist()) == list(range(7))
    assert (np.diff(grid.rmse[np.argsort(grid.rank)]) <= 0).all()
