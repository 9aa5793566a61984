import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.error_sources.shrinkage import shrunk_rms


def draw(levels: FloatArray, m: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Frame RMSEs over 27 Gaussian components, m per cluster."""
    clusters = np.repeat(np.arange(len(levels)), m)
    components = rng.normal(size=(len(clusters), 27)) * levels[clusters, None]
    return np.sqrt((components**2).mean(axis=1)), clusters


def test_many_probes_give_the_true_rmse() -> None:
    levels = np.array([0.02, 0.05, 0.2, 0.01])
    errors, clusters = draw(levels, 4000, np.random.default_rng(0))
    np.testing.assert_allclose(shrunk_rms(errors, clusters, np.full(4, 4000)), levels, rtol=0.02)


def test_equal_clusters_are_shrunk_to_the_overall_error() -> None:
    """What differs between clusters is sampling noise only, and nearly all of it goes."""
    rng = np.random.default_rng(0)
    raw, shrunk = [], []
    for _ in range(40):
        errors, clusters = draw(np.full(12, 0.1), 3, rng)
        own = np.sqrt(np.bincount(clusters, errors**2) / 3)
        raw.append(np.std(own))
        shrunk.append(np.std(shrunk_rms(errors, clusters, np.full(12, 100))))
    assert np.mean(shrunk) < 0.35 * np.mean(raw)


def test_shrinking_lowers_the_error_of_the_estimates() -> None:
    """Heavy-tailed frames and few of them: closer to the truth, in logarithms, than raw cluster errors."""
    rng = np.random.default_rng(1)
    raw, ours = [], []
    for _ in range(60):
        levels = 0.05 * np.exp(0.3 * rng.normal(size=20))
        clusters = np.repeat(np.arange(20), 3)
        errors = levels[clusters] * np.exp(0.6 * rng.normal(size=60) - 0.36)  # E e² = level²
        own = np.sqrt(np.bincount(clusters, errors**2) / 3)
        raw.append(np.mean(np.log(own / levels) ** 2))
        ours.append(np.mean(np.log(shrunk_rms(errors, clusters, np.full(20, 50)) / levels) ** 2))
    assert np.mean(ours) < 0.75 * np.mean(raw)


def test_formula_by_hand() -> None:
    """Two clusters of two: s = 1 and 9; φ, Q, τ² and B from their definitions."""
    errors = np.array([0.8, np.sqrt(2 - 0.64), 3.0, 3.0])
    population = np.array([30, 10])
    s, mu = np.array([1.0, 9.0]), 0.5 * np.log((30 * 1 + 10 * 9) / 40)
    phi = (0.25 + ((0.64 - 1) ** 2 + (1.36 - 1) ** 2) / 4) / 3
    w, y = np.full(2, 2 / phi), 0.5 * np.log(s)
    q = (w * (y - y.mean()) ** 2).sum()
    tau2 = (q - 1) / (w.sum() - (w**2).sum() / w.sum())
    trust = tau2 / (tau2 + phi / 2)
    expected = np.exp(trust * y + (1 - trust) * mu)
    np.testing.assert_allclose(shrunk_rms(errors, np.array([0, 0, 1, 1]), population), expected)


def test_clusters_without_probes_get_the_overall_error() -> None:
    out = shrunk_rms(np.array([1.0, 3.0]), np.array([0, 2]), np.array([10, 5, 10]))
    assert out[1] == pytest.approx(np.sqrt((1 + 9) / 2))
    assert out[0] < out[1] < out[2]


@given(
    seed=st.integers(0, 1000), m=st.integers(1, 20), scale=st.sampled_from([1e-6, 1.0, 1e3])
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_estimates_lie_between_the_extremes_and_scale(seed: int, m: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    errors, clusters = rng.choice([0.0, 0.1, 0.5, 2.0], m), rng.integers(0, 5, m)
    population = rng.integers(1, 50, 5)
    out = shrunk_rms(errors, clusters, population)
    assert np.isfinite(out).all()
    assert (out >= 0).all()
    assert out.max() <= errors.max() * (1 + 1e-9)
    np.testing.assert_allclose(shrunk_rms(scale * errors, clusters, population), scale * out, rtol=1e-9)


def test_one_sampled_cluster_and_zero_errors() -> None:
    np.testing.assert_allclose(shrunk_rms(np.array([2.0]), np.array([1]), np.array([3, 3])), [2.0, 2.0])
    assert shrunk_rms(np.zeros(4), np.array([0, 0, 1, 1]), np.array([2, 2])).tolist() == [0.0, 0.0]
