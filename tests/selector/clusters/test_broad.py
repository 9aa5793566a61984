from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector import BroadClusters
from fidsel.selector.clusters.tree import cut
from fidsel.selector.clusters.ward import Method


def blobs(n: int = 300, kinds: int = 4, seed: int = 0) -> tuple[FloatArray, FloatArray, IntArray]:
    """Geometries in far-apart blobs, each with energies around −5, 0 and 5 eV."""
    rng = np.random.default_rng(seed)
    kind, level = rng.integers(0, kinds, n), rng.integers(-1, 2, n)
    features = 30.0 * np.eye(kinds)[kind] + rng.normal(size=(n, kinds))
    return features, 5.0 * level + 0.1 * rng.normal(size=n), 3 * kind + level + 1


def same_partition(a: IntArray, b: IntArray) -> bool:
    pairs = len(set(zip(a.tolist(), b.tolist(), strict=True)))
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("subset", [80, 1000])
def test_finds_geometry_and_energy(subset: int) -> None:
    features, energies, truth = blobs()
    clusters = BroadClusters.fit(
        features,
        energies,
        n_geometry=4,
        n_energy=3,
        method="subset",
        subset=subset,
        seed=2,
    )
    assert len(clusters) == 12
    assert same_partition(clusters.labels, truth)
    assert same_partition(clusters.assign(features, energies), truth)
    np.testing.assert_array_equal(clusters.assign(features, energies), clusters.labels)
    assert clusters.notes == ()


def test_same_seed_same_clusters_and_numbers_tell_size_and_energy() -> None:
    features, energies, _ = blobs(seed=5)
    one, two = (BroadClusters.fit(features, energies, subset=50, seed=9) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    sizes = [one.population[one.geometry == g].sum() for g in range(one.geometry.max() + 1)]
    assert len(sizes) == 10
    within = one.geometry[1:] == one.geometry[:-1]
    assert (np.diff(one.energy)[within] > 0).all()


def test_new_frames_join_by_distance_to_the_subset() -> None:
    rng = np.random.default_rng(1)
    features, energies = rng.normal(size=(200, 3)), rng.normal(size=200)
    clusters = BroadClusters.fit(features, energies, n_geometry=6, n_energy=2, method="subset", subset=40)
    new, new_energies = rng.normal(size=(50, 3)), rng.normal(size=50)
    groups = [clusters.reference[clusters.reference_geometry == g] for g in range(6)]
    geometry = np.argmin([cdist(new, group).mean(axis=1) for group in groups], axis=0)
    labels = clusters.assign(new, new_energies)
    np.testing.assert_array_equal(clusters.geometry[labels], geometry)
    for label, g, energy in zip(labels, geometry, new_energies, strict=True):
        own = np.flatnonzero(clusters.geometry == g)
        assert abs(clusters.energy[label] - energy) == np.abs(clusters.energy[own] - energy).min()


def test_centroids() -> None:
    features, energies, _ = blobs()
    clusters = BroadClusters.fit(features, energies, subset=60)
    for c in range(len(clusters)):
        members = np.flatnonzero(clusters.labels == c)
        np.testing.assert_allclose(clusters.centroids[c], features[members].mean(axis=0))


def test_without_energies_geometry_only() -> None:
    features, _, truth = blobs()
    clusters = BroadClusters.fit(features, n_geometry=4)
    assert same_partition(clusters.labels, truth // 3)
    assert "geometry only" in clusters.notes[0]
    assert np.isnan(clusters.energy).all()
    np.testing.assert_array_equal(clusters.assign(features, np.zeros(300)), clusters.labels)


def test_frames_of_unknown_energy_join_by_geometry() -> None:
    """Energy follows the geometry here, so the missing energies can be told from it."""
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 6.0])
    energies = np.repeat([0.0, 1.0], 50)
    lost = rng.choice(100, 20, replace=False)
    known = energies.copy()
    known[lost] = np.nan
    clusters = BroadClusters.fit(features, known, n_geometry=1, n_energy=2)
    np.testing.assert_array_equal(clusters.labels, energies.astype(int))
    np.testing.assert_array_equal(clusters.assign(features[lost]), energies[lost].astype(int))
    assert clusters.notes == ("20 of 100 energies are unknown: those frames joined by geometry",)


@given(
    seed=st.integers(0, 1000), n=st.integers(1, 30), levels=st.integers(1, 3), missing=st.floats(0, 1),
    subset=st.integers(1, 40), method=st.sampled_from(["auto", "subset", "kmeans"]),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_pool_gives_a_partition(
    seed: int, n: int, levels: int, missing: float, subset: int, method: Method
) -> None:
    """One frame, duplicates, constant or missing energies, more clusters than frames."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, levels, (n, 2)).astype(float)
    energies = rng.integers(0, levels, n).astype(float)
    energies[rng.random(n) < missing] = np.nan
    clusters = BroadClusters.fit(
        features, energies, method=method, subset=subset, n_kmeans=1 + subset // 2, seed=seed
    )
    assert (clusters.population > 0).all()
    assert clusters.merges.shape == (len(clusters) - 1, 2)
    assert sorted(clusters.merges.ravel().tolist()) == list(range(2 * len(clusters) - 2))
    assert clusters.population.sum() == n
    assert len(clusters) <= 50
    assert np.isfinite(clusters.centroids).all()
    new = clusters.assign(features, energies)
    assert ((new >= 0) & (new < len(clusters))).all()


@pytest.mark.parametrize(
    "options", [{"method": "subset", "subset": 60}, {"method": "kmeans", "n_kmeans": 50}]
)
def test_save_and_load_round_trip(tmp_path: Path, options: dict[str, Any]) -> None:
    features, energies, _ = blobs()
    energies[3] = np.nan
    clusters = BroadClusters.fit(features, energies, **options)
    loaded = BroadClusters.load(clusters.save(tmp_path / "clusters.npz"))
    assert loaded.method == clusters.method
    for name, value in vars(clusters).items():
        np.testing.assert_array_equal(getattr(loaded, name), value)
    np.testing.assert_array_equal(loaded.merges, clusters.merges)
    np.testing.assert_array_equal(loaded.assign(features, energies), clusters.assign(features, energies))


def test_kmeans_clusters_find_geometry_and_energy_and_keep_them() -> None:
    features, energies, truth = blobs(2000)
    clusters = BroadClusters.fit(features, energies, n_geometry=4, n_energy=3, subset=500, n_kmeans=40)
    assert clusters.method == "kmeans"
    assert len(clusters.reference) == len(clusters.weights) == 40
    assert clusters.weights.sum() == 2000
    assert same_partition(clusters.labels, truth)
    np.testing.assert_array_equal(clusters.assign(features, energies), clusters.labels)


def test_new_frames_join_by_weighted_distances_to_kmeans_centroids() -> None:
    rng = np.random.default_rng(1)
    features, new = rng.normal(size=(600, 3)), rng.normal(size=(50, 3))
    clusters = BroadClusters.fit(features, n_geometry=6, method="kmeans", n_kmeans=60)
    reached = [
        np.average(cdist(new, clusters.reference[own]), axis=1, weights=clusters.weights[own])
        for own in (clusters.reference_geometry == g for g in range(6))
    ]
    np.testing.assert_array_equal(clusters.assign(new), np.argmin(reached, axis=0))


def test_pools_that_fit_the_subset_are_clustered_whole() -> None:
    features, energies, _ = blobs()
    assert BroadClusters.fit(features, energies, subset=300).method == "subset"
    assert BroadClusters.fit(features, energies, subset=299).method == "kmeans"


def test_labels_stay_those_of_saved_campaigns() -> None:
    """A campaign that is continued after an update makes the same clusters."""
    rng = np.random.default_rng(11)
    features, energies = rng.normal(size=(24, 6)), rng.normal(size=24) - 4000.0
    energies[::9] = np.nan
    clusters = BroadClusters.fit(features, energies, n_geometry=4, n_energy=2, seed=5)
    assert "".join(map(str, clusters.labels)) == "163103143417457216246421"


def test_the_geometry_tree_is_the_top_of_the_linkage() -> None:
    features = np.random.default_rng(4).normal(size=(150, 5))
    heights = linkage(features, method="ward")[-8:, 2]
    clusters = BroadClusters.fit(features, n_geometry=9)
    np.testing.assert_allclose(np.sqrt(2 * clusters.geometry_tree.heights), heights, rtol=1e-9)
    for k in (2, 3, 5):
        coarse = BroadClusters.fit(features, n_geometry=k).labels
        assert same_partition(clusters.geometry_tree.cut(k)[clusters.labels], coarse)


@pytest.mark.parametrize("method", ["subset", "kmeans"])
def test_energies_of_a_geometry_merge_before_geometries_do(method: Method) -> None:
    features, energies, _ = blobs(400)
    clusters = BroadClusters.fit(features, energies, n_geometry=4, n_energy=3, method=method, n_kmeans=60)
    assert same_partition(cut(clusters.merges, 4), clusters.geometry)
    neighbours = [set(pair) for pair in clusters.merges[:8].tolist()]
    for g in range(4):
        low, middle, high = np.flatnonzero(clusters.geometry == g).tolist()
        assert {low, high} not in neighbours
        assert {low, middle} in neighbours or {middle, high} in neighbours


def test_many_features_are_projected_and_new_frames_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    directions = rng.normal(size=(7, 600))
    hidden = np.concatenate([10.0 * np.eye(4)[truth], rng.normal(size=(200, 3))], axis=1)
    features = hidden @ directions + 1e-3 * rng.normal(size=(200, 600)) + 5.0
    clusters = BroadClusters.fit(features, n_geometry=4, n_energy=1)
    assert clusters.projection is not None
    assert clusters.centroids.shape[1] == clusters.reference.shape[1] == len(clusters.projection) <= 7
    assert "600 features are projected on" in clusters.notes[0]
    assert same_partition(clusters.labels, truth)
    loaded = BroadClusters.load(clusters.save(tmp_path / "clusters.npz"))
    np.testing.assert_array_equal(loaded.assign(features), clusters.assign(features))
    assert loaded.notes == clusters.notes
    with pytest.raises(UsageError, match="from 600 features per frame, got 500"):
        loaded.assign(features[:, :500])
    assert BroadClusters.fit(features[:, :500], n_geometry=4).projection is None


def test_one_frame_of_many_features() -> None:
    alone = BroadClusters.fit(np.ones((1, 600)), np.zeros(1))
    assert alone.labels.tolist() == [0]
    assert alone.assign(np.zeros((3, 600))).tolist() == [0, 0, 0]


def test_identical_rows_and_two_atoms() -> None:
    same = BroadClusters.fit(np.ones((50, 3)), np.zeros(50), method="kmeans")
    assert len(same) == 1
    assert same.assign(np.ones((2, 3))).tolist() == [0, 0]
    bond = np.random.default_rng(0).choice([0.7, 0.9, 1.4], (500, 1)) + 0.0
    clusters = BroadClusters.fit(bond, n_geometry=3, subset=100, n_kmeans=20)
    assert same_partition(clusters.labels, np.unique(bond, return_inverse=True)[1].ravel())


def test_inputs_are_not_written_to() -> None:
    features, energies, _ = blobs()
    before = features.copy(), energies.copy()
    BroadClusters.fit(features, energies, subset=60).assign(features, energies)
    np.testing.assert_array_equal(features, before[0])
    np.testing.assert_array_equal(energies, before[1])


def test_unusable_input_is_refused() -> None:
    features, energies, _ = blobs()
    with pytest.raises(UsageError, match="at least one frame"):
        BroadClusters.fit(features[:0])
    with pytest.raises(UsageError, match=r"shape \(300,\)"):
        BroadClusters.fit(features, energies[1:])
    with pytest.raises(UsageError, match="d ≥ 1"):
        BroadClusters.fit(features[:, :0])
    with pytest.raises(UsageError, match="n_energy"):
        BroadClusters.fit(features, energies, n_energy=0)
    with pytest.raises(UsageError, match="finite"):
        BroadClusters.fit(features).assign(np.full((2, 4), np.nan))
    with pytest.raises(UsageError, match="did you mean 'kmeans'"):
        BroadClusters.fit(features, method="kmean")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="subset and n_kmeans must be ≥ 1, got 20000 and 0"):
        BroadClusters.fit(features, n_kmeans=0)
    with pytest.raises(UsageError, match="same descriptor"):
        BroadClusters.fit(features).assign(features[:, 1:])
