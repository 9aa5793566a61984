import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import (
    DFT_PRIOR,
    FORCE_FIELD_PRIOR,
    CurvePoint,
    LawPrior,
    LevelPrior,
    LogNormal,
    Posterior,
    _gradient,
    _log_error,
    fit_law,
)

PUBLISHED = [1.554, 0.083, 0.801, 0.591, 0.348]
"""GemNet force MAE on aspirin, benzene, malonaldehyde, toluene and ethanol, 200 CCSD(T) labels."""
WITH_DFT = [0.908, 0.059, 0.338, 0.306, 0.176]
WITH_FORCE_FIELD = [0.843, 0.048, 0.516, 0.337, 0.301]


def law(delta: float, beta: float, *levels: tuple[float, float, float]) -> Posterior:
    return Posterior(np.log([[delta, beta, *(x for level in levels for x in level)]]), 1)


def central(level: LevelPrior, n_lo: float, share: float) -> tuple[float, float]:
    prior = fit_law([], LawPrior((level,)), seed=0, draws=20000)
    ratio = prior.errors(200, (n_lo,)) / prior.errors(200, (0,))
    low, high = np.quantile(ratio, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def test_limits_of_the_law() -> None:
    exact = law(3.0, 0.8, (0.5, 0.6, 400.0))
    assert exact.predict(1, (0,)).median == pytest.approx(3.0)
    assert exact.predict(16, (0,)).median == pytest.approx(3.0 * 16**-0.8)
    assert exact.predict(16, (1e12,)).median == pytest.approx(3.0 * 16**-0.8 * 0.5 / 1.5, rel=1e-4)
    assert law(3.0, 0.8, (1e12, 0.6, 400.0)).predict(16, (1e5,)).median == pytest.approx(3.0 * 16**-0.8)
    two = law(3.0, 0.8, (0.5, 0.6, 400.0), (0.1, 0.9, 100.0))
    alone = [two.predict(16, n).median / two.predict(16, (0, 0)).median for n in [(1000, 0), (0, 300)]]
    both = two.predict(16, (1000, 300)).median / two.predict(16, (0, 0)).median
    assert both == pytest.approx(alone[0] * alone[1])


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(st.floats(0.01, 100), st.floats(0.1, 3), st.floats(1, 1e5)), st.floats(0, 1e6),
    st.floats(1, 1e5), st.floats(1, 10), st.floats(1, 10),
)  # fmt: skip
def test_more_labels_never_hurt(
    level: tuple[float, float, float], lo: float, hi: float, more_lo: float, more_hi: float
) -> None:
    exact = law(1.0, 0.7, level)
    base = exact.predict(hi, (lo,)).median
    assert exact.predict(hi * more_hi, (lo,)).median <= base * (1 + 1e-12)
    assert exact.predict(hi, (lo * more_lo,)).median <= base * (1 + 1e-12)


def test_the_gradient_is_that_of_the_law() -> None:
    theta = np.log([2.0, 0.8, 0.3, 0.6, 400.0, 1.5, 0.4, 90.0])
    n_hi, n_lo = np.array([50.0, 200.0]), np.array([[0.0, 30.0], [2000.0, 0.0]])
    numeric = approx_fprime(theta, lambda t: _log_error(t[None], n_hi, n_lo)[0], 1e-7)
    np.testing.assert_allclose(_gradient(theta, n_hi, n_lo), numeric, atol=1e-5)


def test_the_priors_reproduce_the_published_rows() -> None:
    ratios = np.array(WITH_DFT) / PUBLISHED
    worth = 200 / ratios
    assert worth.min() == pytest.approx(280, abs=5)
    assert worth.max() == pytest.approx(470, abs=10)
    medians = [q.median for q in (DFT_PRIOR.gamma, DFT_PRIOR.alpha, DFT_PRIOR.saturation)]
    ours = law(1.0, 1.0, (medians[0], medians[1], medians[2]))
    assert ours.predict(200, (0,)).median / ours.predict(200, (2000,)).median == pytest.approx(
        np.mean(1 / ratios), rel=0.05
    )
    low, high = central(DFT_PRIOR, 2000, 0.9)
    assert low < ratios.min()
    assert ratios.max() < high
    low, high = central(FORCE_FIELD_PRIOR, 100_000, 0.9)
    forces = np.array(WITH_FORCE_FIELD) / PUBLISHED
    assert low < forces.min()
    assert forces.max() < high


def test_the_priors_allow_what_kernels_gain() -> None:
    """sGDML: malonaldehyde with 200 CCSD(T), H2CO with 10–100, where few cheap labels teach a lot."""
    for n_lo, ratio in [(500, 0.65 / 0.94), (1000, 0.54 / 0.94)]:
        low, high = central(DFT_PRIOR, n_lo, 0.5)
        assert low < ratio < high
    low, high = central(DFT_PRIOR, 600, 0.99)
    for alone, both in [(0.27, 0.070), (0.24, 0.039), (0.18, 0.033), (0.11, 0.019), (0.060, 0.015)]:
        assert low < both / alone < high


def test_without_points_the_posterior_is_the_prior() -> None:
    prior = fit_law([], seed=1, draws=4000)
    quantities = LawPrior().quantities
    np.testing.assert_allclose(
        prior.draws[:, 1:].mean(axis=0), np.log([q.median for q in quantities]), atol=0.1
    )
    np.testing.assert_allclose(prior.draws[:, 1:].std(axis=0), [q.sd for q in quantities], rtol=0.05)
    assert prior.points == 0


def test_many_points_recover_the_law() -> None:
    truth = law(5.0, 0.9, (0.3, 0.8, 300.0))
    points = [
        CurvePoint(hi, (lo,), truth.predict(hi, (lo,)).median, 0.01 * truth.predict(hi, (lo,)).median)
        for hi in (25, 50, 100, 200)
        for lo in (0, 100, 400, 1600, 6400, 25600)
    ]
    found = fit_law(points, seed=0)
    np.testing.assert_allclose(np.median(found.draws, axis=0)[:2], truth.draws[0][:2], atol=0.05)
    np.testing.assert_allclose(np.exp(np.median(found.draws, axis=0)[2:]), [0.3, 0.8, 300.0], rtol=0.15)
    for split in [(400, (50_000,)), (800, (0,))]:
        guess = found.predict(*split)
        assert guess.low < truth.predict(*split).median < guess.high
        assert guess.high / guess.low < 1.3


def test_a_few_points_settle_the_scale_and_leave_the_rest_to_the_prior() -> None:
    points = [CurvePoint(50, (0,), 0.8), CurvePoint(50, (1000,), 0.5)]
    found, prior = fit_law(points, seed=0), fit_law([], seed=0)
    assert found.predict(50, (0,)).median == pytest.approx(0.8, rel=0.05)
    assert found.predict(50, (1000,)).median == pytest.approx(0.5, rel=0.05)
    assert found.draws[:, 1].std() > 0.9 * prior.draws[:, 1].std()
    ratio = found.errors(50, (4000,)) / found.errors(50, (0,))
    before = prior.errors(50, (4000,)) / prior.errors(50, (0,))
    assert np.ptp(np.quantile(ratio, [0.05, 0.95])) < 0.6 * np.ptp(np.quantile(before, [0.05, 0.95]))


def test_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(3)
    inside = []
    for truth in fit_law([], seed=4, draws=25).draws:
        exact = Posterior(truth[None], 1)
        points = [
            CurvePoint(hi, (lo,), exact.predict(hi, (lo,)).median * float(np.exp(0.1 * rng.normal())))
            for hi, lo in [(25, 0), (50, 0), (50, 500), (50, 2000)]
        ]
        found = fit_law(points, seed=5, draws=60)
        for split in [(200, (2000,)), (200, (0,)), (50, (10_000,))]:
            guess = found.predict(*split)
            inside.append(guess.low <= exact.predict(*split).median <= guess.high)
    assert 0.75 < np.mean(inside) < 1


def test_scores_are_means_of_the_draws() -> None:
    found = fit_law([], LawPrior((FORCE_FIELD_PRIOR, DFT_PRIOR)), seed=0)
    hi, lo = [30, 100], [[5000, 0], [100_000, 700]]
    expected = [np.log(found.errors(h, n)).mean() for h, n in zip(hi, lo, strict=True)]
    np.testing.assert_allclose(found.mean_log_error(hi, lo), expected)


def test_the_same_seed_gives_the_same_draws() -> None:
    points = [CurvePoint(50, (0,), 0.8)]
    first, second, other = (fit_law(points, seed=s, draws=20).draws for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


def test_wrong_points_are_refused() -> None:
    with pytest.raises(UsageError, match="one n_lo for each of 1 cheap levels"):
        fit_law([CurvePoint(10, (0, 0), 1.0)], seed=0)
    with pytest.raises(UsageError, match="positive error"):
        CurvePoint(10, (0,), 0.0)
    with pytest.raises(UsageError, match="must be > 0; leave it out"):
        fit_law([CurvePoint(10, (0,), 1.0, sd=0.0)], seed=0)
    with pytest.raises(UsageError, match="1 cheap numbers ≥ 0, got 5 and"):
        fit_law([], seed=0).predict(5, (1, 2))
    with pytest.raises(UsageError, match="sd > 0"):
        LogNormal(1.0, 0.0)
