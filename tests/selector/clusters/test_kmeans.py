import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector.clusters import kmeans
from fidsel.selector.clusters.kmeans import kmeans_clusters, nearest_centroid


def inertia(features: FloatArray, centroids: FloatArray) -> float:
    return float(cdist(features, centroids, "sqeuclidean").min(axis=1).sum())


def correlated(n: int, d: int = 12, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ rng.normal(size=(4, d)) + 0.1 * rng.normal(size=(n, d)) + 50.0


@pytest.mark.parametrize("d", [1, 36, 210])
def test_nearest_centroids_are_those_of_scipy(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "CHUNK", {"cpu": 1000})
    features, centroids = correlated(500, d), correlated(70, d, seed=1)
    labels, squares = nearest_centroid(features, centroids, "cpu")
    distances = cdist(features, centroids, "sqeuclidean")
    reached = distances[np.arange(500), labels]
    own = ((features - np.median(centroids, axis=0)) ** 2).sum(axis=1)
    assert (reached - distances.min(axis=1) <= kmeans.ROUNDING * own).all()
    assert (np.abs(squares - reached) <= kmeans.ROUNDING * own).all()
    assert (labels == distances.argmin(axis=1)).mean() > 0.99


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.gpu
def test_a_gpu_finds_the_same() -> None:
    features, centroids = correlated(5000, 36), correlated(300, 36, seed=1)
    here, there = (nearest_centroid(features, centroids, name) for name in ("cpu", "cuda"))
    assert (here[0] == there[0]).mean() > 0.999
    np.testing.assert_allclose(here[1], there[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("iterations", "slack"), [(4, 1.1), (30, 1.03)])
def test_as_tight_as_k_means_of_scikit_learn(iterations: int, slack: float) -> None:
    features = correlated(4000)
    ours = kmeans_clusters(features, 100, np.random.default_rng(0), iterations=iterations)
    theirs = KMeans(100, n_init=1, random_state=0).fit(features)
    assert inertia(features, ours.centroids) < slack * theirs.inertia_


def test_more_iterations_never_loosen_the_clusters() -> None:
    features = correlated(3000)
    sums = [
        inertia(features, kmeans_clusters(features, 50, np.random.default_rng(0), iterations=i).centroids)
        for i in (1, 2, 4, 8)
    ]
    assert sums == sorted(sums, reverse=True)
    assert sums[0] > sums[-1]


@given(seed=st.integers(0, 1000), n=st.integers(1, 300), k=st.integers(1, 60), levels=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_rows_give_used_and_distinct_clusters(seed: int, n: int, k: int, levels: int) -> None:
    """One row, fewer rows than clusters, repeated and identical rows."""
    features = np.random.default_rng(seed).integers(0, levels, (n, 2)).astype(float)
    found = kmeans_clusters(features, k, np.random.default_rng(seed))
    assert 1 <= len(found.weights) <= k
    assert found.weights.min() >= 1
    np.testing.assert_array_equal(np.bincount(found.labels), found.weights)
    assert found.weights.sum() == n
    assert np.isfinite(found.centroids).all()
    assert len(np.unique(found.centroids, axis=0)) == len(found.centroids)
    np.testing.assert_array_equal(nearest_centroid(features, found.centroids)[0], found.labels)


def test_few_rows_are_their_own_kmeans_clusters() -> None:
    features = np.array([[1.0], [3.0], [1.0], [-0.0], [0.0]])
    found = kmeans_clusters(features, 5, np.random.default_rng(0))
    assert found.centroids.ravel().tolist() == [0.0, 1.0, 3.0]
    assert found.weights.tolist() == [2, 2, 1]


def test_a_rare_and_remote_group_gets_a_centroid() -> None:
    """Ten of 20 000 rows: even draws of 50 rows would nearly always miss them."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20_000, 6))
    features[123::2000] += 20.0
    for seed in range(5):
        found = kmeans_clusters(features, 50, np.random.default_rng(seed))
        rare = np.unique(found.labels[123::2000])
        assert found.weights[rare].sum() == 10


def test_same_seed_same_clusters_and_inputs_are_not_written_to() -> None:
    features = correlated(2000)
    before = features.copy()
    one, two = (kmeans_clusters(features, 80, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.centroids, two.centroids)
    np.testing.assert_array_equal(features, before)


def test_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="≥ 1, got 0 and 4"):
        kmeans_clusters(np.ones((3, 1)), 0, np.random.default_rng(0))
    with pytest.raises(UsageError, match="≥ 1, got 2 and 0"):
        kmeans_clusters(np.ones((3, 1)), 2, np.random.default_rng(0), iterations=0)


def test_a_frame_far_off_costs_the_others_no_digits() -> None:
    features = correlated(1000, 6)
    features[7] = 1e5
    found = kmeans_clusters(features, 100, np.random.default_rng(0), device="cpu")
    assert found.weights[found.labels[7]] == 1
    rest = np.delete(features, 7, axis=0)
    assert inertia(rest, found.centroids) < 1.2 * KMeans(99, n_init=1, random_state=0).fit(rest).inertia_
