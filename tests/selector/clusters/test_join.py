from typing import get_args

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.exceptions import UsageError
from fidsel.selector.clusters.join import Assignment, join


@pytest.mark.parametrize("assignment", ["average", "max"])
def test_join_takes_the_smallest_average_or_largest_distance(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fidsel.selector.clusters.join.CHUNK", 100)
    rng = np.random.default_rng(3)
    members, labels = rng.normal(size=(30, 4)), rng.permutation(np.arange(30) % 5)
    rows = rng.normal(size=(40, 4))
    reduce = np.mean if assignment == "average" else np.max
    reached = np.array([reduce(cdist(rows, members[labels == c]), axis=1) for c in range(5)])
    assert join(rows, members, labels, assignment).tolist() == reached.argmin(axis=0).tolist()


@pytest.mark.parametrize("assignment", get_args(Assignment))
def test_a_weight_counts_as_so_many_equal_members(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fidsel.selector.clusters.kmeans.CHUNK", {"cpu": 100})
    rng = np.random.default_rng(4)
    members, labels = rng.normal(size=(30, 4)) + 20.0, rng.permutation(np.arange(30) % 5)
    weights, rows = rng.integers(1, 9, 30), rng.normal(size=(200, 4)) + 20.0
    repeated = join(rows, np.repeat(members, weights, axis=0), np.repeat(labels, weights), assignment)
    np.testing.assert_array_equal(join(rows, members, labels, assignment, weights), repeated)


def test_rows_can_join_the_nearest_member() -> None:
    rng = np.random.default_rng(3)
    members, labels, rows = rng.normal(size=(30, 4)), np.arange(30) % 5, rng.normal(size=(40, 4))
    expected = labels[cdist(rows, members).argmin(axis=1)]
    np.testing.assert_array_equal(join(rows, members, labels, "nearest"), expected)


def test_assignments_differ_where_a_cluster_is_long() -> None:
    members = np.array([[0.0], [1.0], [1.2], [1.3], [6.0], [8.0]])
    labels = np.array([0, 0, 0, 0, 0, 1])
    row = np.array([[4.4]])
    assert join(row, members, labels, "average")[0] == 0
    assert join(row, members, labels, "max")[0] == 1
    with pytest.raises(UsageError, match="did you mean 'max'"):
        join(row, members, labels, "maxx")  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", [None, np.ones(3, dtype=int)])
def test_no_rows_join_nothing(weights: np.ndarray | None) -> None:
    assert join(np.empty((0, 1)), np.eye(3)[:, :1], np.arange(3), "average", weights).shape == (0,)
