import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.planner.law import (
    DFT_PRIOR,
    FORCE_FIELD_PRIOR,
    CurvePoint,
    LawPrior,
    LevelPrior,
    LogNormal,
    Posterior,
    fit_law,
)
from fidsel.fidelity.planner.plan import Plan
from fidsel.fidelity.planner.recommend import PricedLevel, plan
from fidsel.fidelity.planner.split import LARGEST_SET, SplitProblem

DFT, CCSDT = PricedLevel("dft", 0.025), PricedLevel("ccsd(t)", 1.0)
PRIOR = fit_law([], seed=0)
PRIOR_OF_TWO = fit_law([], LawPrior((FORCE_FIELD_PRIOR, DFT_PRIOR)), seed=0)
USELESS = LevelPrior(LogNormal(1e9, 1e-3), DFT_PRIOR.alpha, DFT_PRIOR.saturation)

amounts = st.floats(30, 1e5)
prices = st.tuples(st.floats(1e-4, 0.9), st.floats(1e-3, 1.0)).map(sorted)


def exact(delta: float, beta: float, *level: float) -> Posterior:
    return Posterior(np.log([[delta, beta, *level]]), 1)


def test_the_published_split_is_found_from_prices_alone() -> None:
    """ASTEROID spends 250 labels at 40 : 1 on 200 CCSD(T) and 2000 DFT labels."""
    made = plan(250, [DFT, CCSDT])
    n_dft, n_cc = made.recommended.bought
    assert 1500 < n_dft < 3000
    assert n_cc == pytest.approx(200, abs=15)
    assert made.recommended.relative.median == pytest.approx(1 - 0.394, abs=0.2)
    assert made.basis == "priors"
    assert any("published priors" in text for text in made.warnings)
    assert made.recommended.error is None


def test_the_best_split_is_the_analytic_one() -> None:
    """γ = 0, α = β, no threshold: ln n_hi + ln n_lo is largest where both levels cost the same."""
    law = exact(1.0, 0.5, 1e-12, 0.5, 1e-3)
    made = plan(1000, [PricedLevel("cheap", 0.1), PricedLevel("dear", 1.0)], law=law)
    assert made.recommended.bought[0] * 0.1 == pytest.approx(500, rel=0.03)
    assert made.recommended.bought[1] == pytest.approx(500, rel=0.03)


def test_validation_labels_have_no_companions() -> None:
    """An accurate training frame is labelled at the cheap level too, a validation frame is not."""
    paired = replace(CCSDT, cost=1.025, companion=0.025)
    made = plan(250, [DFT, paired], spent=2.0, validation=10)
    assert made.fixed == pytest.approx(12)
    assert made.recommended.cost == pytest.approx(
        12 + 0.025 * made.recommended.bought[0] + 1.025 * made.recommended.bought[1]
    )
    assert Plan.from_json(made.to_json()) == made


def test_a_free_level_is_bought_as_far_as_it_goes() -> None:
    made = plan(100, [PricedLevel("table", 0.0, available=7000), CCSDT])
    assert made.recommended.bought == (7000, 100)
    assert made.recommended.cost == 100


def test_a_useless_level_is_not_bought() -> None:
    made = plan(250, [replace(DFT, prior=USELESS), CCSDT])
    assert made.recommended.bought == (0, 250)
    assert made.recommended.relative.median == pytest.approx(1.0)
    assert all(row.relative.median >= 1 - 1e-9 for row in made.table)


def test_labels_already_owned_are_used_and_not_paid_for() -> None:
    fresh = plan(250, [DFT, CCSDT])
    owned = plan(250, [replace(DFT, owned=50_000), replace(CCSDT, owned=30)])
    assert owned.recommended.bought[0] < fresh.recommended.bought[0]
    assert owned.recommended.cost <= 250
    assert plan(5, [DFT, replace(CCSDT, owned=30)]).recommended.cost <= 5


@settings(deadline=None, max_examples=40)
@given(amounts, prices, st.integers(1, 30), st.integers(0, 5))
def test_no_row_costs_more_than_the_budget(
    total: float, price: list[float], minimum: int, validation: int
) -> None:
    levels = [PricedLevel("cheap", price[0]), PricedLevel("dear", price[1])]
    made = plan(total, levels, law=PRIOR, minimum=minimum, validation=validation)
    for row in made.table:
        assert row.cost <= total * (1 + 1e-8)
        assert row.cost == pytest.approx(np.dot(row.bought, price) + validation * price[1])
        assert row.bought[1] >= minimum
        assert all(0 <= n <= LARGEST_SET for n in row.bought)
    assert made.recommended in made.table
    best = PRIOR.mean_log_error([made.recommended.bought[1]], [made.recommended.bought[:1]])
    accurate_only = PRIOR.mean_log_error([made.table[0].bought[1]], [made.table[0].bought[:1]])
    assert best <= accurate_only


@settings(deadline=None, max_examples=40)
@given(amounts, st.floats(1.0, 3.0), prices, st.floats(1e-5, 1e-4))
def test_more_money_is_never_worse(total: float, factor: float, price: list[float], lowest: float) -> None:
    levels = (PricedLevel("mm", lowest), PricedLevel("dft", price[0]), PricedLevel("cc", price[1]))

    def score(money: float) -> float:
        row = SplitProblem(levels, money, 0.0, 20, PRIOR_OF_TWO).best()
        return float(PRIOR_OF_TWO.mean_log_error([row[2]], [row[:2]])[0])

    assert score(factor * total) <= score(total) + 1e-12


def test_lower_prices_and_larger_budgets_help_in_the_scenarios() -> None:
    made = plan(500, [DFT, CCSDT], spent=20.0, validation=30)
    base = made.recommended.relative.median
    errors = {s.name: s.split.relative.median for s in made.scenarios if s.split is not None}
    assert len(errors) == 6
    for name in ("double the budget", "dft at half the price", "ccsd(t) at half the price"):
        assert errors[name] < base
    for name in ("half the budget", "dft at double the price", "ccsd(t) at double the price"):
        assert errors[name] > base
    medians = [split.relative.median for split in made.pareto]
    costs = [split.cost for split in made.pareto]
    assert costs == sorted(costs)
    assert medians == sorted(medians, reverse=True)
    assert made.recommended in made.pareto


def test_a_plan_reads_well() -> None:
    made = plan(7200.0, [replace(DFT, cost=2.0), replace(CCSDT, cost=100.0)], unit="core-second")
    dft, ccsdt = made.recommended.bought
    assert repr(made).startswith(f"Plan(2 core-h: buy {dft} dft + {ccsdt} ccsd(t); error ")
    assert repr(made).endswith("of that of accurate labels alone, by published priors)")
    shown = made._repr_html_()
    assert shown.count("<tr>") == len(made.table) + 1
    assert shown.index(f"<td>{dft}</td><td>{ccsdt}</td>") < shown.index("<td>0</td>")
    assert "plan for 250," in plan(250, [DFT, CCSDT])._repr_html_()


def test_the_interval_that_doubt_rests_on_is_told() -> None:
    made = plan(60, [replace(DFT, cost=0.1), CCSDT], minimum=3)
    found = made.recommended.relative
    assert found.high >= 1
    (told,) = (text for text in made.warnings if "cheap labels may not pay" in text)
    assert f"90 % interval {found.low:.2f}–{found.high:.2f}" in told
    assert f"{found.median:.2f} × that of accurate labels alone" in told
    assert "leave the level out" in told


def test_what_half_the_budget_cannot_pay_for_is_left_open() -> None:
    made = plan(30, [DFT, CCSDT], minimum=20)
    assert {s.name: s.split for s in made.scenarios}["half the budget"] is None


def test_points_make_it_a_pilot_with_absolute_errors() -> None:
    points = [CurvePoint(25, (0,), 0.5), CurvePoint(50, (0,), 0.3), CurvePoint(50, (500,), 0.2)]
    made = plan(250, [DFT, CCSDT], points=points)
    assert made.basis == "pilot"
    assert made.points == 3
    error = made.recommended.error
    assert error is not None
    assert 0 < error.low < error.median < 0.2
    assert not any("priors" in text for text in made.warnings)
    far = plan(2000, [DFT, CCSDT], points=points)
    assert any("far extrapolation" in text for text in far.warnings)


def test_a_pilot_without_gain_moves_money_to_accurate_labels() -> None:
    useless = [CurvePoint(50, (n,), 0.3, sd=0.003) for n in (0, 500, 2000, 8000)]
    useful = [CurvePoint(50, (n,), e, sd=0.003) for n, e in [(0, 0.3), (500, 0.2), (2000, 0.1), (8000, 0.05)]]
    n_useless, n_useful = (plan(250, [DFT, CCSDT], points=p).recommended.bought[0] for p in (useless, useful))
    assert 4 * n_useless < n_useful


def test_intervals_of_plans_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for truth in fit_law([], seed=2, draws=25).draws:
        law = Posterior(truth[None], 1)
        points = [
            CurvePoint(hi, (lo,), law.predict(hi, (lo,)).median * float(np.exp(0.1 * rng.normal())))
            for hi, lo in [(20, 0), (40, 0), (40, 400), (40, 1600)]
        ]
        found = fit_law(points, seed=1, draws=60)
        row = plan(250, [DFT, CCSDT], law=found).recommended
        assert row.error is not None
        inside.append(row.error.low <= law.predict(row.bought[1], row.bought[:1]).median <= row.error.high)
    assert np.mean(inside) > 0.7


def test_wall_time_is_shared_by_the_workers() -> None:
    levels = [replace(DFT, seconds=10.0), replace(CCSDT, seconds=600.0)]
    row = plan(250, levels, workers=4).recommended
    assert row.wall == pytest.approx((row.bought[0] * 10 + row.bought[1] * 600) / 4)
    assert plan(250, [DFT, replace(CCSDT, seconds=600.0)]).recommended.wall is None


def test_a_small_pool_is_pointed_out() -> None:
    levels = [replace(DFT, available=100), replace(CCSDT, available=100)]
    made = plan(250, levels)
    assert made.recommended.bought == (100, 100)
    assert any("59% of the budget stay unspent" in text for text in made.warnings)


def test_one_level_alone_and_several_cheap_ones() -> None:
    alone = plan(100, [CCSDT])
    assert alone.recommended.bought == (100,)
    levels = [
        PricedLevel("mm", 1e-5, available=20_000, prior=FORCE_FIELD_PRIOR),
        PricedLevel("xtb", 1e-4, available=20_000),
        DFT,
        CCSDT,
    ]
    many = plan(250, levels)
    assert many.recommended.bought[0] == 20_000
    assert many.recommended.relative.median < plan(250, levels[2:]).recommended.relative.median
    assert any("multiplied" in text for text in many.warnings)


def test_json_round_trip_and_seed() -> None:
    points = [CurvePoint(50, (0,), 0.3)]
    made = plan(30, [replace(DFT, seconds=1.0), CCSDT], points=points, unit="label", seed=3)
    assert Plan.from_json(made.to_json()) == made
    assert plan(30, [replace(DFT, seconds=1.0), CCSDT], points=points, unit="label", seed=3) == made
    assert json.loads(made.to_json())["basis"] == "pilot"
    with pytest.raises(UsageError, match="not a plan"):
        Plan.from_json('{"levels": 3}')


def test_a_budget_below_the_minimum_is_told_the_minimum() -> None:
    with pytest.raises(UsageError, match="raise it to at least 80, or validate on fewer"):
        plan(79, [DFT, CCSDT], spent=10, validation=50)
    assert plan(80, [DFT, CCSDT], spent=10, validation=50).recommended.bought == (0, 20)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([], "at least one level"),
        ([DFT, DFT], "a name of its own"),
        ([CCSDT, DFT], "comes last"),
        ([DFT, replace(CCSDT, available=5)], "fewer than the minimum of 20"),
    ],
)
def test_levels_that_do_not_fit(levels: list[PricedLevel], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(250, levels)


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="how many are available"):
        PricedLevel("table", 0.0)
    with pytest.raises(UsageError, match="must be a number ≥ 0, got -1"):
        PricedLevel("dft", -1.0)
    with pytest.raises(UsageError, match="owned and available"):
        PricedLevel("dft", 1.0, owned=-1)
    with pytest.raises(UsageError, match="finite total"):
        plan(float("nan"), [CCSDT])
    with pytest.raises(UsageError, match="the law knows 2 cheap levels"):
        plan(250, [DFT, CCSDT], law=PRIOR_OF_TWO)


def test_the_largest_set_is_told_where_it_bites() -> None:
    told = "no more than 100000 labels of dft are planned"
    cheap = PricedLevel("dft", 1e-6)
    assert plan(250, [cheap, CCSDT]).recommended.bought[0] == LARGEST_SET
    assert any(told in text for text in plan(250, [cheap, CCSDT]).warnings)
    assert not any(
        told in text for text in plan(250, [replace(cheap, available=LARGEST_SET), CCSDT]).warnings
    )
    assert not any(told in text for text in plan(250, [DFT, CCSDT]).warnings)


def test_levels_of_one_price_are_told_apart_by_their_order() -> None:
    told = "a label costs no less than one of ccsd(t), which is taken for the accurate level"
    assert any(f"dft: {told}" in text for text in plan(250, [replace(DFT, cost=1.0), CCSDT]).warnings)
    paired = replace(CCSDT, cost=2.5, companion=1.5)
    assert any(f"dft: {told}" in text for text in plan(250, [replace(DFT, cost=1.5), paired]).warnings)
    free = [replace(level, cost=0.0, available=40) for level in (DFT, CCSDT)]
    for levels in ([DFT, CCSDT], free):
        assert not any(told in text for text in plan(250, levels).warnings)


def test_a_budget_too_small_is_told_in_its_own_unit() -> None:
    levels = [PricedLevel("mp2", 1.0), PricedLevel("ccsd(t)", 60.0)]
    with pytest.raises(UsageError, match=r"of 8 core-min does not pay .* raise it to at least 13 core-min"):
        plan(480, levels, validation=10, minimum=3, show=Budget.parse("8 core-min").format)
    with pytest.raises(UsageError, match=r"of 5 labels does not pay .* at least 20 labels"):
        plan(5, [CCSDT], unit="labels")
