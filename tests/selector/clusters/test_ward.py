import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector import fine_clusters
from fidsel.selector.clusters.join import join
from fidsel.selector.clusters.ward import Method, geometry_clusters, ward


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


def test_equal_rows_that_look_like_a_distance_matrix() -> None:
    assert ward(np.zeros((2, 2)), 1).tolist() == [0, 0]


@pytest.mark.parametrize("method", ["subset", "kmeans"])
def test_geometry_clusters_know_what_ward_clustered(method: Method) -> None:
    features, rng = np.random.default_rng(0).normal(size=(400, 3)), np.random.default_rng(1)
    found = geometry_clusters(features, 5, rng, method=method, subset=90, n_kmeans=70)
    assert found.method == method
    assert len(found.reference) == {"subset": 90, "kmeans": 70}[method]
    assert found.weights.sum() == {"subset": 90, "kmeans": 400}[method]
    assert set(found.clusters.tolist()) == set(found.labels.tolist()) == set(range(5))
    if method == "kmeans":
        assert (np.diff(np.bincount(found.labels)) <= 0).all()
        again = join(features, found.reference, found.clusters, found.weights)
        np.testing.assert_array_equal(again, found.labels)


def test_weighted_ward_is_as_tight_as_ward_itself_and_as_a_subset() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 3)) @ rng.normal(size=(3, 10)) + 0.2 * rng.normal(size=(3000, 10))

    def spread(labels: IntArray) -> float:
        return sum(float(features[labels == c].var(axis=0).sum() * (labels == c).sum()) for c in range(10))

    large = geometry_clusters(features, 10, rng, method="kmeans", n_kmeans=300)
    subset = geometry_clusters(features, 10, rng, method="subset", subset=300)
    assert spread(large.labels) < spread(ward(features, 10))
    assert spread(large.labels) < 1.01 * spread(subset.labels)


def test_a_cluster_of_strays_that_loses_its_rows_is_given_up() -> None:
    """Four rows far from each other are nearer, on average, to the crowd between them."""
    strays = 6.0 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=float)
    crowd = 0.01 * np.random.default_rng(0).normal(size=(50, 3))
    members, labels = np.concatenate([crowd, strays]), np.repeat([0, 1], [50, 4])
    assert set(join(members, members, labels).tolist()) == {0}
    features = np.concatenate([crowd, strays, strays + np.eye(3)[2] / 2])
    for k in range(1, 8):
        found = geometry_clusters(features, k, np.random.default_rng(0), method="kmeans", n_kmeans=100)
        assert set(found.labels.tolist()) == set(found.clusters.tolist()) == set(range(max(found.labels) + 1))
        again = join(features, found.reference, found.clusters, found.weights)
        np.testing.assert_array_equal(again, found.labels)


def test_a_rare_group_keeps_a_cluster() -> None:
    """One frame in a thousand, apart from the others: a cluster of its own, above the subset too."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30_000, 6))
    features[::1000] += 15.0
    labels = geometry_clusters(features, 10, rng).labels
    rare = np.unique(labels[::1000])
    assert len(rare) == 1
    assert (labels == rare[0]).sum() == 30


def test_fine_clusters_of_many_features_are_those_of_their_components() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 120)
    features = 9.0 * rng.normal(size=(5, 700))[truth] + rng.normal(size=(120, 700))
    assert partition(fine_clusters(features, 5)) == partition(truth)
    features[3, 4] = np.nan
    with pytest.raises(UsageError, match="finite"):
        fine_clusters(features, 5)


def test_fine_clusters_of_nothing_and_of_bad_numbers() -> None:
    assert len(fine_clusters(np.empty((0, 3)))) == 0
    with pytest.raises(UsageError, match="finite"):
        fine_clusters(np.array([[np.nan]]))
    with pytest.raises(UsageError, match="n_clusters"):
        fine_clusters(np.ones((3, 1)), 0)
    with pytest.raises(UsageError, match="subset"):
        fine_clusters(np.ones((3, 1)), 2, subset=0)
