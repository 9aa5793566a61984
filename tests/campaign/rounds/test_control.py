"""What a campaign saved at equal error, and how well that is known."""

import numpy as np
import pytest

from fidsel.campaign.records.round import Saving
from fidsel.campaign.rounds.control import REACH, saving
from fidsel.fidelity.planner.law import REFERENCE, CurvePoint, Law, Link, fit_law
from fidsel.fidelity.planner.priors import law_prior

PRICE, VALIDATION = 2.0, 5
CURVE = {10: 1.0, 20: 0.5, 40: 0.25}  # β = 1: error = 10 / labels


def saved(law: Law, spent: float, error: float) -> Saving:
    return saving(law, REACH * max(CURVE), error, spent, PRICE, VALIDATION)


def law(*draws: tuple[float, float]) -> Law:
    """Return the law error = δ·n^(−β) from δ and β of each draw."""
    curves = [[(np.log(delta) - beta * np.log(REFERENCE), beta)] for delta, beta in draws]
    return Law((Link(0),), np.zeros(1), np.array(curves), len(CURVE))


def test_a_certain_curve_gives_its_saving_without_a_spread() -> None:
    found = saved(law((10.0, 1.0), (10.0, 1.0)), spent=60.0, error=0.2)
    right = 1 - 60 / (PRICE * (50 + VALIDATION))
    assert found.share == found.low == found.high == pytest.approx(right)
    assert found.certain
    assert (found.at_least, found.high_at_least) == (False, False)


def test_the_interval_is_that_of_the_draws() -> None:
    scale = np.random.default_rng(0).lognormal(0.0, 0.3, 4000)
    found = saved(law(*((10.0 * s, 1.0) for s in scale)), spent=60.0, error=0.2)
    low, high = (1 - 60 / (PRICE * (50 * np.exp(z * 0.3) + VALIDATION)) for z in (-1.645, 1.645))
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)
    assert found.low < found.share < found.high


def test_a_spread_around_zero_is_not_told_as_a_saving() -> None:
    draws = [(10.0 * factor, 1.0) for factor in (0.6, 0.9, 1.0, 1.1, 1.7)]
    found = saved(law(*draws), spent=PRICE * 45, error=0.2)
    assert found.share == pytest.approx(0.18, abs=0.05)
    assert not found.certain
    assert found.words.startswith("not distinguishable from no saving at equal error: +")


def test_beyond_the_reach_of_the_curve_both_ends_are_bounds() -> None:
    found = saved(law((10.0, 1.0), (10.0, 0.5)), spent=10.0, error=1e-3)
    right = 1 - 10 / (PRICE * (REACH * 40 + VALIDATION))
    assert found.share == found.low == found.high == pytest.approx(right)
    assert (found.at_least, found.high_at_least) == (True, True)
    assert found.cell == "≥ +99 % (≥ +99)"


def test_three_scattered_points_do_not_settle_a_saving() -> None:
    points = [CurvePoint(Link(0), n, e) for n, e in CURVE.items()]
    fitted = fit_law(points, law_prior(["wavefunction"], atoms=5), seed=0)
    found = saved(fitted, spent=PRICE * 52, error=0.2)
    assert found.low < 0 < found.high


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Saving(0.41, False, 0.2, 0.6), "41 % of its spend saved at equal error, 90 % interval +20 to +60 %"),
        (Saving(-0.5, False, -0.9, -0.1), "50 % more spent than it at equal error, saving 90 % interval −90"),
        (Saving(0.31, False, -0.2, 0.6), "not distinguishable from no saving at equal error: +31 %"),
        (
            Saving(0.8, True, 0.7, 0.9, True),
            "at least 80 % of its spend saved at equal error, 90 % interval +70",
        ),
        (Saving(-0.2, True, -0.2, -0.2, True), "not distinguishable from no saving at equal error"),
    ],
)
def test_words(found: Saving, words: str) -> None:
    assert found.words.startswith(words)
