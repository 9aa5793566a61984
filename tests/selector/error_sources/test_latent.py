from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector import Evidence, Latent, Pool
from fidsel.selector.error_sources.latent import latent_distances
from fidsel.testing.picker import example_pool

RNG = np.random.default_rng(0)


def told(features: FloatArray, training: FloatArray) -> Evidence:
    return Evidence(latent=lambda: (features, training))


def far_pool(n: int = 2000, share: float = 0.8) -> tuple[Pool, Evidence, FloatArray]:
    """Errors whose mean square rises with the distance to 50 training frames, and these distances."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, 6)) * rng.uniform(0.2, 3.0, n)[:, None]
    training = rng.normal(size=(50, 6)) * 0.3
    distances = latent_distances(features, training, 5)
    expected = 0.2 * np.sqrt(1 - share + share * distances / distances.mean())
    errors = expected * np.sqrt(rng.gamma(4.0, 0.25, n))
    nothing = np.zeros(n)
    pool = Pool(features, rng.integers(0, 5, n), errors, nothing, np.ones((n, 1)), nothing.astype(bool))
    return pool, told(features, training), distances


def reveal(pool: Pool, rows: np.ndarray) -> np.ndarray:
    known = np.full(len(pool), np.nan)
    known[rows] = pool.errors[rows]
    return known


@pytest.mark.parametrize("neighbours", [1, 5, 100])
def test_distances_against_brute_force(neighbours: int) -> None:
    features, training = RNG.normal(size=(300, 4)), RNG.normal(size=(20, 4))
    found = latent_distances(features, training, neighbours)
    nearest = np.sort(cdist(features, training), axis=1)[:, :neighbours]
    np.testing.assert_allclose(found, nearest.mean(axis=1))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_scale_and_slope_are_recovered(share: float) -> None:
    pool, evidence, distances = far_pool(share=share)
    known = reveal(pool, Latent().wants(pool, 400, RNG))
    estimate = Latent().estimate(pool, known, evidence)
    relative = distances / distances.mean()
    expected = 0.2 * np.sqrt(1 - share + share * relative)
    hidden = np.isnan(known)
    np.testing.assert_allclose(estimate[hidden], expected[hidden], rtol=0.2)
    np.testing.assert_array_equal(estimate[~hidden], pool.errors[~hidden])


def test_ranks_by_distance_whatever_is_known() -> None:
    pool, evidence, distances = far_pool()
    for count in (1, 2, 30):
        known = reveal(pool, np.arange(count))
        found = Latent().estimate(pool, known, evidence)[count:]
        assert (np.argsort(found) == np.argsort(distances[count:])).all()


def test_frames_that_coincide_with_training() -> None:
    pool = example_pool()
    same = np.zeros((60, 2))
    evidence = told(same, np.zeros((3, 2)))
    estimate = Latent().estimate(pool, reveal(pool, np.arange(10)), evidence)
    np.testing.assert_allclose(estimate[10:], np.sqrt((pool.errors[:10] ** 2).mean()))
    flat = Latent().estimate(pool, np.where(np.arange(60) < 3, 0.0, np.nan), evidence)
    assert not flat.any()


def test_wants_random_frames() -> None:
    pool, source = far_pool(n=100)[0], Latent()
    counts = np.bincount(np.concatenate([source.wants(pool, 10, RNG) for _ in range(2000)]))
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)
    with pytest.raises(UsageError, match="number of probes must be ≥ 0"):
        source.wants(pool, -1, RNG)
    everything = replace(pool, labelled=np.ones(len(pool), dtype=bool))
    assert len(source.wants(everything, 10, RNG)) == 0


def test_what_cannot_be_is_refused() -> None:
    pool = example_pool()
    features = pool.features

    def refused(known: FloatArray, *pair: FloatArray) -> None:
        Latent().estimate(pool, known, told(*pair))

    with pytest.raises(UsageError, match="label the rows of wants"):
        refused(np.full(60, np.nan), features, features[:3])
    with pytest.raises(UsageError, match="needs latent features of a network, got none"):
        Latent().estimate(pool, pool.errors)
    with pytest.raises(UsageError, match="one row per frame"):
        refused(pool.errors, features[1:], features[:3])
    with pytest.raises(UsageError, match=r"got \(60, 3\) and \(0, 3\)"):
        refused(pool.errors, features, features[:0])
    with pytest.raises(UsageError, match=r"got \(60, 3\) and \(60, 2\)"):
        refused(pool.errors, features, features[:, :2])
    with pytest.raises(UsageError, match="finite numbers"):
        refused(pool.errors, features * np.nan, features)
    with pytest.raises(UsageError, match="neighbours must be ≥ 1"):
        Latent(0)
