from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.arrays import FloatArray
from fidsel.selector.clusters.energy_bins import energy_centers, nearest_center


def inertia(values: FloatArray, centers: FloatArray) -> float:
    return float(((values - centers[nearest_center(values, centers)]) ** 2).sum())


def best_inertia(values: FloatArray, k: int) -> float:
    """Try every way to cut the sorted values into k runs."""
    values = np.sort(values)
    cuts = combinations(range(1, len(values)), k - 1)
    return min(sum(float(((p - p.mean()) ** 2).sum()) for p in np.split(values, cut)) for cut in cuts)


@given(seed=st.integers(0, 1000), n=st.integers(4, 14), k=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_close_to_the_best_of_all_cuts(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    centers = energy_centers(values, k, rng, restarts=20)
    assert len(centers) == k
    assert (np.diff(centers) > 0).all()
    assert best_inertia(values, k) - 1e-9 <= inertia(values, centers) <= 1.35 * best_inertia(values, k) + 1e-9


@given(st.lists(st.sampled_from([0.0, 1.0, 1.5, -1e4, -1e4 - 1e-12, 7.25]), min_size=1), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_no_centre_is_ever_empty(energies: list[float], k: int) -> None:
    values = np.array(energies)
    centers = energy_centers(values, k, np.random.default_rng(0))
    assert 1 <= len(centers) <= min(k, len(set(energies)))
    assert set(nearest_center(values, centers)) == set(range(len(centers)))


def test_total_energies_keep_their_digits() -> None:
    """A shift of −17 000 eV does not change the clusters."""
    values = np.random.default_rng(1).choice([0.0, 0.01, 0.02], 300)
    centers = energy_centers(values - 17_000.0, 3, np.random.default_rng(0))
    np.testing.assert_allclose(centers + 17_000.0, [0.0, 0.01, 0.02], atol=1e-9)


def test_no_energies_no_centres() -> None:
    assert len(energy_centers(np.empty(0), 5, np.random.default_rng(0))) == 0


def test_neighbouring_numbers_share_a_centre_rather_than_leave_one_empty() -> None:
    """Their midpoint rounds to one of them for half of all pairs."""
    low = 1.0
    for _ in range(8):
        high = float(np.nextafter(low, 2.0))
        centers = energy_centers(np.array([low, high]), 2, np.random.default_rng(0))
        assert len(centers) == len(set(nearest_center(np.array([low, high]), centers)))
        low = high
