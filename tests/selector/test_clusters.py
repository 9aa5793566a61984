from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.selector import BroadClusters
from fidsel.selector.ward import Assignment


def blobs(n: int = 300, kinds: int = 4, seed: int = 0) -> tuple[FloatArray, FloatArray, IntArray]:
    """Geometries in far-apart blobs, each with energies around −5, 0 and 5 eV."""
    rng = np.random.default_rng(seed)
    kind, level = rng.integers(0, kinds, n), rng.integers(-1, 2, n)
    features = 30.0 * np.eye(kinds)[kind] + rng.normal(size=(n, kinds))
    return features, 5.0 * level + 0.1 * rng.normal(size=n), 3 * kind + level + 1


def same_partition(a: IntArray, b: IntArray) -> bool:
    pairs = len(set(zip(a.tolist(), b.tolist(), strict=True)))
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("assignment", ["average", "max"])
@pytest.mark.parametrize("subset", [80, 1000])
def test_finds_geometry_and_energy(assignment: Assignment, subset: int) -> None:
    features, energies, truth = blobs()
    clusters = BroadClusters.fit(
        features, energies, n_geometry=4, n_energy=3, subset=subset, assignment=assignment, seed=2
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


@pytest.mark.parametrize("assignment", ["average", "max"])
def test_new_frames_join_by_distance_to_the_subset(assignment: Assignment) -> None:
    rng = np.random.default_rng(1)
    features, energies = rng.normal(size=(200, 3)), rng.normal(size=200)
    clusters = BroadClusters.fit(
        features, energies, n_geometry=6, n_energy=2, subset=40, assignment=assignment
    )
    new, new_energies = rng.normal(size=(50, 3)), rng.normal(size=50)
    reduce = np.mean if assignment == "average" else np.max
    groups = [clusters.reference[clusters.reference_geometry == g] for g in range(6)]
    geometry = np.argmin([reduce(cdist(new, group), axis=1) for group in groups], axis=0)
    labels = clusters.assign(new, new_energies)
    np.testing.assert_array_equal(clusters.geometry[labels], geometry)
    for label, g, energy in zip(labels, geometry, new_energies, strict=True):
        own = np.flatnonzero(clusters.geometry == g)
        assert abs(clusters.energy[label] - energy) == np.abs(clusters.energy[own] - energy).min()


def test_centroids_and_representatives() -> None:
    features, energies, _ = blobs()
    clusters = BroadClusters.fit(features, energies, subset=60)
    for c in range(len(clusters)):
        members = np.flatnonzero(clusters.labels == c)
        np.testing.assert_allclose(clusters.centroids[c], features[members].mean(axis=0))
        gaps = np.linalg.norm(features[members] - clusters.centroids[c], axis=1)
        assert clusters.representatives[c] == members[gaps.argmin()]


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
    subset=st.integers(1, 40),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_any_pool_gives_a_partition(seed: int, n: int, levels: int, missing: float, subset: int) -> None:
    """One frame, duplicates, constant or missing energies, more clusters than frames."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, levels, (n, 2)).astype(float)
    energies = rng.integers(0, levels, n).astype(float)
    energies[rng.random(n) < missing] = np.nan
    clusters = BroadClusters.fit(features, energies, subset=subset, seed=seed)
    assert (clusters.population > 0).all()
    assert clusters.population.sum() == n
    assert len(clusters) <= 50
    assert np.isfinite(clusters.centroids).all()
    new = clusters.assign(features, energies)
    assert ((new >= 0) & (new < len(clusters))).all()


def test_save_and_load_round_trip(tmp_path: Path) -> None:
    features, energies, _ = blobs()
    energies[3] = np.nan
    clusters = BroadClusters.fit(features, energies, subset=60, assignment="max")
    loaded = BroadClusters.load(clusters.save(tmp_path / "clusters.npz"))
    for name, value in vars(clusters).items():
        np.testing.assert_array_equal(getattr(loaded, name), value)
    np.testing.assert_array_equal(loaded.assign(features, energies), clusters.assign(features, energies))


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
    with pytest.raises(UsageError, match="same descriptor"):
        BroadClusters.fit(features).assign(features[:, 1:])
