import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import (
    REFERENCE,
    CurvePoint,
    Law,
    LawPrior,
    Link,
    LinkPrior,
    Normal,
    fit_law,
)

LINKS = (Link(0), Link(1), Link(1, 0))
VAGUE = LinkPrior(Normal(0.0, 1.0), Normal(0.0, 0.3), early=10.0)
PRIOR = LawPrior(dict.fromkeys(LINKS, VAGUE), Normal(-4.0, 1.0), Normal(0.8, 0.2))


def law(
    *curves: tuple[float, float], links: tuple[Link, ...] = LINKS, exact: frozenset[int] = frozenset()
) -> Law:
    """Return a law without doubt from e(1) and α of each link, whose curves are straight: e = e(1)·n^(−α)."""
    draws = [(np.log(start) - slope * np.log(REFERENCE), slope) for start, slope in curves]
    return Law(links, np.zeros(len(links)), np.array([draws]), 1, exact)


def error(of: Law, n_hi: float, *n_lo: float) -> float:
    return float(of.errors(n_hi, n_lo)[0])


def test_errors_of_the_links_add_in_squares() -> None:
    two = law((2.0, 0.5), (8.0, 0.5), (1.0, 1.0))
    surrogate, residual = 2 * 400**-0.5, 1 / 20
    assert error(two, 20, 400) == pytest.approx(np.hypot(surrogate, residual))
    assert error(two, 20, 0) == pytest.approx(8 * 20**-0.5), "no cheap labels: standard training"
    three = law(
        (2.0, 0.5), (3.0, 0.5), (8.0, 0.5), (1.0, 0.5), (0.9, 0.5), (0.4, 0.5),
        links=(Link(0), Link(1), Link(2), Link(1, 0), Link(2, 0), Link(2, 1)),
    )  # fmt: skip
    assert error(three, 25, 900, 100) == pytest.approx(np.sqrt(4 / 900 + 1 / 100 + 0.16 / 25))
    assert error(three, 25, 900, 0) == pytest.approx(np.sqrt(4 / 900 + 0.81 / 25)), (
        "the middle level left out"
    )
    assert error(three, 25, 0, 100) == pytest.approx(np.sqrt(9 / 100 + 0.16 / 25)), "the cheapest left out"


def test_few_cheap_labels_beside_many_accurate_ones_are_no_worse_than_none() -> None:
    """A recipe keeps the better of mixture and standard training."""
    two = law((8.0, 0.5), (8.0, 0.5), (4.0, 0.5))
    assert error(two, 52, 1) == error(two, 52, 0) == pytest.approx(8 * 52**-0.5)
    helpful = law((8.0, 0.5), (8.0, 0.5), (0.1, 0.5))
    assert error(helpful, 52, 55) == pytest.approx(np.sqrt(64 / 55 + 0.01 / 52))
    assert error(helpful, 52, 10) == pytest.approx(8 * 52**-0.5)


def test_what_is_computed_where_the_model_predicts_is_not_learnt() -> None:
    baseline = law((2.0, 0.5), (8.0, 0.5), (1.0, 0.5), exact=frozenset({0}))
    assert error(baseline, 25, 0) == error(baseline, 25, 1000) == pytest.approx(1 / 5)
    useless = law((2.0, 0.5), (8.0, 0.5), (9.0, 0.5), exact=frozenset({0}))
    assert error(useless, 25, 0) == pytest.approx(8 / 5), "goes without it"


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.05, 3)), min_size=3, max_size=3),
    st.floats(1, 1e6), st.floats(1, 1e5), st.floats(1, 10), st.floats(1, 10),
)  # fmt: skip
def test_more_labels_never_hurt(
    curves: list[tuple[float, float]], lo: float, hi: float, more_lo: float, more_hi: float
) -> None:
    two = law(*curves)
    base = error(two, hi, lo)
    assert error(two, hi * more_hi, lo) <= base * (1 + 1e-12)
    assert error(two, hi, lo * more_lo) <= base * (1 + 1e-12)
    assert base <= error(two, hi, 0) * (1 + 1e-12)


def test_scores_are_means_of_logarithms() -> None:
    drawn = fit_law([], PRIOR, seed=0, draws=50)
    splits = [(20, 400), (20, 0), (300, 10)]
    scores = drawn.mean_log_error([hi for hi, _ in splits], [[lo] for _, lo in splits])
    np.testing.assert_allclose(scores, [np.log(drawn.errors(hi, (lo,))).mean() for hi, lo in splits])


def test_labels_at_inverts_the_curve_of_accurate_labels() -> None:
    one = law((10.0, 1.0), links=(Link(0),))
    assert one.labels_at(0.2) == pytest.approx([50.0])
    prior = fit_law([], LawPrior({Link(0): VAGUE}, Normal(0.0, 1.0), Normal(0.8, 0.2)), seed=0)
    for drawn, labels in zip(prior.draws[:5], prior.labels_at(0.1)[:5], strict=True):
        alone = Law(prior.links, prior.early, drawn[None], 0)
        assert error(alone, labels) == pytest.approx(min(0.1, error(alone, 1)), rel=1e-3)
    flat = law((1.0, 1e-6), links=(Link(0),))
    assert flat.labels_at(1e-3)[0] == np.inf


def test_without_points_the_law_is_that_of_the_prior() -> None:
    drawn = fit_law([], PRIOR, seed=1, draws=20_000)
    assert drawn.points == 0
    np.testing.assert_allclose(drawn.draws[..., 0].mean(axis=0), -4.0, atol=0.05)
    np.testing.assert_allclose(drawn.draws[..., 0].std(axis=0), np.sqrt(2), rtol=0.03)
    np.testing.assert_allclose(drawn.draws[..., 1].std(axis=0), np.hypot(0.2, 0.3), rtol=0.05)
    together = np.corrcoef(drawn.draws[:, 0, 0], drawn.draws[:, 1, 0])[0, 1]
    assert together == pytest.approx(0.5, abs=0.02), "the links share the scale of the molecule"


def test_many_points_recover_the_law() -> None:
    truth = Law(LINKS, np.full(3, 10.0), np.array([[(-2.0, 0.9), (-1.5, 0.7), (-3.0, 1.1)]]), 0)
    points = [
        CurvePoint(link, n, float(np.exp(truth._curve(truth.draws, link, np.array([n]))[0, 0])), 0.01)
        for link in LINKS
        for n in (10, 30, 100, 300)
    ]
    found = fit_law(points, PRIOR, seed=0)
    np.testing.assert_allclose(np.median(found.draws, axis=0), truth.draws[0], atol=0.02)
    assert found.predict(50, (2000,)).median == pytest.approx(error(truth, 50, 2000), rel=0.05)
    assert found.points == 12


def test_the_unit_of_the_points_is_that_of_the_law() -> None:
    points = [
        CurvePoint(Link(1, 0), 20.0, 0.4),
        CurvePoint(Link(0), 100.0, 0.5),
        CurvePoint(Link(1), 20.0, 2.0),
    ]
    large = [CurvePoint(p.link, p.labels, 1e4 * p.error) for p in points]
    small, big = fit_law(points, PRIOR, seed=0), fit_law(large, PRIOR, seed=0)
    assert big.predict(20, (300,)).median == pytest.approx(1e4 * small.predict(20, (300,)).median, rel=0.05)


def test_a_cheap_curve_tells_what_accurate_labels_would_bring() -> None:
    """The links share scale and exponent: measured cheap labels move and narrow the accurate curve."""
    tight = LinkPrior(Normal(0.0, 0.2), Normal(0.0, 0.05))
    prior = LawPrior(dict.fromkeys(LINKS, tight), Normal(-4.0, 1.0), Normal(0.8, 0.3))
    steep = fit_law([CurvePoint(Link(0), n, 50 / n, 0.05) for n in (20, 60, 200)], prior, seed=0)
    blind = fit_law([], prior, seed=0)
    assert steep.draws[:, 1, 1].std() < blind.draws[:, 1, 1].std() / 2
    assert steep.draws[:, 1, 1].mean() > 0.95
    assert steep.predict(60, (0,)).median == pytest.approx(50 / 60, rel=0.3)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_intervals_hold_what_is_measured(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside = []
    for truth in fit_law([], PRIOR, seed=seed, draws=25).draws:
        real = Law(LINKS, np.full(3, 10.0), truth[None], 0)

        def measured(link: Link, n: float, real: Law = real) -> CurvePoint:
            value = real._curve(real.draws, link, np.array([n]))[0, 0] + 0.15 * rng.normal()
            return CurvePoint(link, n, float(np.exp(value)))

        points = [measured(Link(0), n) for n in (10, 30, 100)] + [measured(Link(1, 0), n) for n in (5, 10)]
        found = fit_law(points, PRIOR, seed=1, draws=200).predict(50, (500,))
        scattered = error(real, 50, 500) * np.exp(0.15 * rng.normal())
        inside.append(found.low <= scattered <= found.high)
    assert np.mean(inside) >= 0.68, "0.9 but for the chance of 25 draws: 10⁻³ for fewer"


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="1 cheap numbers ≥ 0, got 0 and"):
        law((1.0, 1.0), (1.0, 1.0), (1.0, 1.0)).errors(0, (1,))
    with pytest.raises(UsageError, match="1 cheap numbers ≥ 0, got 5 and"):
        law((1.0, 1.0), (1.0, 1.0), (1.0, 1.0)).errors(5, (1, 2))
    with pytest.raises(UsageError, match="a positive error"):
        CurvePoint(Link(0), 10, 0.0)
    with pytest.raises(UsageError, match="a positive sd"):
        CurvePoint(Link(0), 10, 1.0, 0.0)
    with pytest.raises(UsageError, match="points of links"):
        fit_law([CurvePoint(Link(2), 10, 1.0)], PRIOR, seed=0)
