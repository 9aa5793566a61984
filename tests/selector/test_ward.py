import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.selector import fine_clusters
from fidsel.selector.ward import Assignment, by_population, join, ward


def brute_ward(features: FloatArray, n_clusters: int) -> set[frozenset[int]]:
    """Merge the pair whose union raises the summed squared distance to the means least."""
    groups = [[i] for i in range(len(features))]

    def inertia(rows: list[int]) -> float:
        return float(((features[rows] - features[rows].mean(axis=0)) ** 2).sum())

    while len(groups) > n_clusters:
        costs = {
            (a, b): inertia(groups[a] + groups[b]) - inertia(groups[a]) - inertia(groups[b])
            for a in range(len(groups))
            for b in range(a)
        }
        a, b = min(costs, key=lambda pair: costs[pair])
        groups[b] += groups.pop(a)
    return {frozenset(group) for group in groups}


def partition(labels: IntArray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == c).tolist()) for c in np.unique(labels)}


@given(seed=st.integers(0, 1000), n=st.integers(1, 18), k=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_ward_is_greedy_merging_by_inertia(seed: int, n: int, k: int) -> None:
    features = np.random.default_rng(seed).normal(size=(n, 3))
    assert partition(ward(features, k)) == brute_ward(features, k)


@given(seed=st.integers(0, 1000), n=st.integers(1, 40), k=st.integers(1, 50), levels=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_ward_gives_the_count_asked_for_despite_ties(seed: int, n: int, k: int, levels: int) -> None:
    features = np.random.default_rng(seed).integers(0, levels, (n, 2)).astype(float)
    labels = ward(features, k)
    sizes = np.bincount(labels)
    assert len(sizes) == min(n, k)
    assert (np.diff(sizes) <= 0).all()


def test_by_population_breaks_ties_by_first_appearance() -> None:
    assert by_population(np.array([9, 4, 4, 9, 1])).tolist() == [0, 1, 1, 0, 2]


@pytest.mark.parametrize("assignment", ["average", "max"])
def test_join_takes_the_smallest_average_or_largest_distance(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fidsel.selector.ward.CHUNK", 100)
    rng = np.random.default_rng(3)
    members, labels = rng.normal(size=(30, 4)), rng.permutation(np.arange(30) % 5)
    rows = rng.normal(size=(40, 4))
    reduce = np.mean if assignment == "average" else np.max
    reached = np.array([reduce(cdist(rows, members[labels == c]), axis=1) for c in range(5)])
    assert join(rows, members, labels, assignment).tolist() == reached.argmin(axis=0).tolist()


def test_assignments_differ_where_a_cluster_is_long() -> None:
    members = np.array([[0.0], [1.0], [1.2], [1.3], [6.0], [8.0]])
    labels = np.array([0, 0, 0, 0, 0, 1])
    row = np.array([[4.4]])
    assert join(row, members, labels, "average")[0] == 0
    assert join(row, members, labels, "max")[0] == 1
    with pytest.raises(UsageError, match="did you mean 'max'"):
        join(row, members, labels, "maxx")  # type: ignore[arg-type]


def test_fine_clusters_find_blobs_from_a_subset() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 600)
    features = 20.0 * np.eye(6)[truth] + rng.normal(size=(600, 6))
    for subset in (60, 600, 10_000):
        labels = fine_clusters(features, 6, subset=subset, seed=1)
        assert partition(labels) == partition(truth)
    np.testing.assert_array_equal(
        fine_clusters(features, 9, subset=60, seed=4), fine_clusters(features, 9, subset=60, seed=4)
    )


def test_fine_clusters_of_nothing_and_of_bad_numbers() -> None:
    assert len(fine_clusters(np.empty((0, 3)))) == 0
    with pytest.raises(UsageError, match="finite"):
        fine_clusters(np.array([[np.nan]]))
    with pytest.raises(UsageError, match="n_clusters"):
        fine_clusters(np.ones((3, 1)), 0)
    with pytest.raises(UsageError, match="subset"):
        fine_clusters(np.ones((3, 1)), 2, subset=0)
