import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.selector.clusters.join import join


def test_rows_join_the_cluster_at_the_smallest_average_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fidsel.selector.clusters.join.CHUNK", 100)
    rng = np.random.default_rng(3)
    members, labels = rng.normal(size=(30, 4)), rng.permutation(np.arange(30) % 5)
    rows = rng.normal(size=(40, 4))
    reached = np.array([cdist(rows, members[labels == c]).mean(axis=1) for c in range(5)])
    assert join(rows, members, labels).tolist() == reached.argmin(axis=0).tolist()


def test_a_weight_counts_as_so_many_equal_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fidsel.selector.clusters.kmeans.CHUNK", {"cpu": 100})
    rng = np.random.default_rng(4)
    members, labels = rng.normal(size=(30, 4)) + 20.0, rng.permutation(np.arange(30) % 5)
    weights, rows = rng.integers(1, 9, 30), rng.normal(size=(200, 4)) + 20.0
    repeated = join(rows, np.repeat(members, weights, axis=0), np.repeat(labels, weights))
    np.testing.assert_array_equal(join(rows, members, labels, weights), repeated)


@pytest.mark.parametrize("weights", [None, np.ones(3, dtype=int)])
def test_no_rows_join_nothing(weights: np.ndarray | None) -> None:
    assert join(np.empty((0, 1)), np.eye(3)[:, :1], np.arange(3), weights).shape == (0,)
