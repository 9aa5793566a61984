import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.planner.law import REFERENCE, CurvePoint, Law, LawPrior, Link, Normal, fit_law
from fidsel.fidelity.planner.plan import Plan
from fidsel.fidelity.planner.priors import law_prior
from fidsel.fidelity.planner.recommend import PricedLevel, Start, plan
from fidsel.fidelity.planner.split import LARGEST_SET, SplitProblem

DFT, CCSDT = PricedLevel("dft", 0.025), PricedLevel("ccsd(t)", 1.0, kind="wavefunction")
PRIOR = fit_law([], law_prior(["dft", "wavefunction"], atoms=9), seed=0)
PRIOR_OF_TWO = fit_law([], law_prior(["force field", "dft", "wavefunction"], atoms=9), seed=0)
LINKS = (Link(0), Link(1), Link(1, 0))

amounts = st.floats(30, 1e5)
prices = st.tuples(st.floats(1e-4, 0.9), st.floats(1e-3, 1.0)).map(sorted)


def exact(*curves: tuple[float, float]) -> Law:
    """Return the law of two levels whose links are e = a·n^(−α), from a and α of each."""
    draws = [(np.log(a) - slope * np.log(REFERENCE), slope) for a, slope in curves]
    return Law(LINKS, np.zeros(3), np.array([draws]), 1)


USELESS = exact((1.0, 0.5), (1.0, 0.5), (5.0, 0.5))
"""The difference of the levels is harder to learn than the accurate level."""


def test_a_plan_from_prices_alone() -> None:
    made = plan(250, [DFT, CCSDT])
    n_dft, n_cc = made.recommended.bought
    assert 3000 < n_dft < 7000
    assert n_cc == pytest.approx(250 - 0.025 * n_dft, abs=1)
    assert 0.2 < made.recommended.relative.median < 0.6
    assert made.basis == "priors"
    assert any("learning curves of other molecules" in text for text in made.warnings)
    assert made.recommended.error is None, "nothing is said of the molecule"
    told = plan(250, [DFT, CCSDT], absolute=True).recommended.error
    assert told is not None
    assert told.high / told.low > 10, "the scale of an unknown molecule is known to a factor"


def test_the_best_split_is_the_analytic_one() -> None:
    """(a/n_lo)² + (b/n_hi)² at p·n_lo + n_hi = B: n_hi/n_lo = (p·b²/a²)^(1/3)."""
    law = exact((40.0, 1.0), (1e9, 1.0), (2.0, 1.0))
    made = plan(1000, [PricedLevel("cheap", 0.1), PricedLevel("dear", 1.0)], law=law, minimum=3)
    ratio = (0.1 * 2**2 / 40**2) ** (1 / 3)
    n_lo = 1000 / (0.1 + ratio)
    assert made.recommended.bought[0] == pytest.approx(n_lo, rel=0.03)
    assert made.recommended.bought[1] == pytest.approx(ratio * n_lo, rel=0.05)


def test_validation_labels_have_no_companions() -> None:
    """An accurate training frame is labelled at the cheap level too, a validation frame is not."""
    paired = replace(CCSDT, cost=1.025, companion=0.025)
    made = plan(250, [DFT, paired], spent=2.0, validation=10)
    assert made.fixed == pytest.approx(12)
    assert made.recommended.cost == pytest.approx(12 + np.dot(made.recommended.labels, (0.025, 1.0)))
    assert Plan.from_json(made.to_json()) == made


def test_a_free_level_is_bought_as_far_as_it_goes() -> None:
    made = plan(100, [PricedLevel("table", 0.0, available=7000), CCSDT])
    assert made.recommended.bought == (7000, 100)
    assert made.recommended.cost == 100


def test_a_useless_level_is_not_bought() -> None:
    made = plan(250, [DFT, CCSDT], law=USELESS)
    assert made.recommended.bought == (0, 250)
    assert made.recommended.relative.median == pytest.approx(1.0)
    assert all(row.relative.median >= 1 - 1e-9 for row in made.table)


def test_a_level_that_accurate_frames_are_labelled_at_for_nothing_is_told() -> None:
    paired = replace(CCSDT, cost=1.5, companion=0.5)
    made = plan(150, [replace(DFT, cost=0.5), paired], law=USELESS)
    (told,) = (text for text in made.warnings if "not worth its labels" in text)
    assert told.startswith("dft is not worth its labels: without it the same money")
    without = {case.name: case.split for case in made.scenarios}["without dft"]
    assert without is not None
    assert without.bought == (0, 150), "nothing is paid at a level that is left out"
    assert without.relative.median == pytest.approx(1.0)
    assert not any("not worth" in text for text in plan(250, [DFT, CCSDT]).warnings)


def test_accurate_labels_alone_are_not_charged_for_cheap_ones() -> None:
    paired = replace(CCSDT, cost=1.5, companion=0.5)
    made = plan(150, [replace(DFT, cost=0.5), paired])
    assert made.table[0].bought == (0, 150)
    assert made.table[0].cost == pytest.approx(150)
    assert made.table[0].relative.median == pytest.approx(1.0)


def test_the_recommended_split_is_in_the_table_where_no_extra_cheap_labels_are_bought() -> None:
    levels = [PricedLevel("cheap", 0.5, available=30), PricedLevel("dear", 1.5, available=30, companion=0.5)]
    made = plan(400, levels, validation=5, minimum=3)
    assert (made.recommended.bought, made.recommended.labels) == ((0, 30), (30, 30))
    assert made.recommended.cost == pytest.approx(50), "15 for 30 cheap labels, 35 for accurate ones"
    assert [row.labels for row in made.table] == [(0, 30), (30, 30)]
    assert made.table[0].cost == pytest.approx(35)
    assert made.table[1] == made.recommended
    assert repr(made).startswith("Plan(400: buy 30 cheap + 30 dear; ")
    assert any("88% of the budget stay unspent" in text for text in made.warnings)


@settings(deadline=None, max_examples=40)
@given(amounts, prices, st.integers(20, 400), st.floats(0, 1))
def test_rows_cost_the_labels_they_show(total: float, price: list[float], frames: int, share: float) -> None:
    cheap, dear = price
    levels = [
        PricedLevel("cheap", cheap, available=frames, seconds=2.0),
        PricedLevel("dear", cheap + dear, available=frames, companion=cheap, seconds=5.0),
    ]
    made = plan(total, levels, law=PRIOR, minimum=3, start=Start(share))
    assert made.recommended in made.table
    assert len({row.labels for row in made.table}) == len(made.table)
    for row in made.table:
        assert row.cost == pytest.approx(np.dot(row.labels, price))
        assert row.cost <= total * (1 + 1e-8)
        assert row.wall == pytest.approx(np.dot(row.labels, (2.0, 5.0)))
        assert row.labels[1] == row.bought[1]
        assert row is made.table[0] or frames >= row.labels[0] >= max(row.labels[1], row.bought[0])


def test_companions_of_another_price_are_refused() -> None:
    with pytest.raises(UsageError, match=r"companion labels of ccsd\(t\) cost 0.5, the sum of the prices"):
        plan(250, [DFT, replace(CCSDT, cost=1.5, companion=0.5)])


def test_companions_are_cheap_labels_too() -> None:
    """Where accurate frames are labelled cheaply too, no split has fewer cheap labels than accurate ones."""
    levels = (replace(DFT, cost=0.5), replace(CCSDT, cost=1.5, companion=0.5))
    shop = SplitProblem(levels, 100, 0.0, 3, PRIOR)
    assert shop.trained((5, 40)) == (40, (40,))
    assert shop.trained((90, 40)) == (40, (90,))
    assert shop.without(0).trained((0, 40)) == (40, (0,))
    assert replace(shop, levels=(DFT, CCSDT)).trained((5, 40)) == (40, (5,))


def test_a_level_computed_with_the_model_is_compared_with_doing_without() -> None:
    law = fit_law([], law_prior(["dft", "wavefunction"], atoms=9, exact=[0]), seed=0)
    levels = [replace(DFT, available=0), replace(CCSDT, cost=1.025, companion=0.025)]
    made = plan(250, levels, law=law)
    assert made.recommended.bought == (0, 243)
    assert made.recommended.relative.median < 0.5
    assert made.table[0].bought == (0, 250)
    assert made.table[0].relative.median == pytest.approx(1.0)


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
    assert best <= accurate_only + 1e-12


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
    assert len(errors) == 7
    assert errors["without dft"] == pytest.approx(1.0)
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
    assert repr(made).endswith("of that of accurate labels alone, by other molecules)")
    shown = made._repr_html_()
    assert shown.count("<tr>") == len(made.table) + 1
    assert shown.index(f"<td>{dft}</td><td>{ccsdt}</td>") < shown.index("<td>0</td>")
    assert "plan for 250," in plan(250, [DFT, CCSDT])._repr_html_()


def test_the_interval_that_doubt_rests_on_is_told() -> None:
    law = fit_law([], law_prior(["semi-empirical", "wavefunction"], atoms=9), seed=0)
    made = plan(60, [replace(DFT, cost=0.2), CCSDT], law=law, minimum=3)
    found = made.recommended.relative
    assert found.high >= 1
    (told,) = (text for text in made.warnings if "cheap labels may not pay" in text)
    assert f"90 % interval {found.low:.2f}–{found.high:.2f}" in told
    assert f"{found.median:.2f} × that of accurate labels alone" in told
    assert found.median < 0.97
    assert "More likely than not they do; " in told
    assert "leave the level out" in told


def test_cheap_labels_that_most_likely_change_nothing_are_not_said_to_pay() -> None:
    known = law_prior(["semi-empirical", "wavefunction"], atoms=9, baseline="semi-empirical")
    free = replace(DFT, cost=0.0, available=50)
    made = plan(30, [free, CCSDT], law=fit_law([], known, seed=0), minimum=3)
    assert made.recommended.relative.median == pytest.approx(1.0, abs=0.01)
    (told,) = (text for text in made.warnings if "cheap labels may not pay" in text)
    assert "More likely" not in told
    assert "Most likely they bring nothing; " in told


def test_what_half_the_budget_cannot_pay_for_is_left_open() -> None:
    made = plan(30, [DFT, CCSDT], minimum=20)
    assert {s.name: s.split for s in made.scenarios}["half the budget"] is None


def curve(
    link: Link, first: float, slope: float, labels: tuple[int, ...] = (30, 60, 120)
) -> list[CurvePoint]:
    return [CurvePoint(link, n, first * n**-slope, 0.05) for n in labels]


def test_points_make_it_a_pilot_with_absolute_errors() -> None:
    points = [*curve(Link(0), 5.0, 0.45), *curve(Link(1, 0), 0.8, 0.35)]
    prior = law_prior(["dft", "wavefunction"], atoms=9)
    made = plan(250, [DFT, CCSDT], points=points, prior=prior)
    assert made.basis == "pilot"
    assert made.points == 6
    error, (n_lo, n_hi) = made.recommended.error, made.recommended.bought
    assert error is not None
    assert error.low < np.hypot(5.0 * n_lo**-0.45, 0.8 * n_hi**-0.35) < error.high
    assert error.high / error.low < 3
    assert not any("other molecules" in text for text in made.warnings)
    far = plan(20_000, [DFT, CCSDT], points=points)
    assert any("far extrapolation" in text for text in far.warnings)


def test_the_pilot_moves_money_to_the_link_that_is_harder_to_learn() -> None:
    surrogate = [*curve(Link(0), 9.0, 0.4), *curve(Link(1, 0), 0.3, 0.5)]
    residual = [*curve(Link(0), 2.0, 0.8), *curve(Link(1, 0), 0.9, 0.3)]
    cheap = [plan(250, [DFT, CCSDT], points=points).recommended.bought[0] for points in (surrogate, residual)]
    assert cheap[0] > 1.5 * cheap[1]


def test_intervals_of_plans_hold_the_truth() -> None:
    rng, prior = np.random.default_rng(0), law_prior(["dft", "wavefunction"], atoms=9)
    prior = LawPrior(prior.links, Normal(0.0, 1.0), prior.exponent)
    inside, regret = [], []
    for truth in fit_law([], prior, seed=2, draws=25).draws:
        law = Law(tuple(prior.links), PRIOR.early, truth[None], 1)

        def measured(link: Link, n: float, law: Law = law) -> CurvePoint:
            value = law._curve(law.draws, link, np.array([n]))[0, 0] + 0.15 * rng.normal()
            return CurvePoint(link, n, float(np.exp(value)))

        points = [measured(Link(0), n) for n in (25, 50, 100)] + [measured(Link(1, 0), n) for n in (5, 10)]
        row = plan(250, [DFT, CCSDT], points=points, prior=prior).recommended
        best = plan(250, [DFT, CCSDT], law=law).recommended
        assert row.error is not None
        at_row = law.errors(row.bought[1], row.bought[:1])[0]
        inside.append(row.error.low <= at_row <= row.error.high)
        regret.append(at_row / law.errors(best.bought[1], best.bought[:1])[0])
    assert np.mean(inside) > 0.8
    assert np.quantile(regret, 0.8) < 1.1, "within a tenth of the best split"


def test_wall_time_is_shared_by_the_workers() -> None:
    levels = [replace(DFT, seconds=10.0), replace(CCSDT, seconds=600.0)]
    row = plan(250, levels, workers=4).recommended
    assert row.wall == pytest.approx((row.bought[0] * 10 + row.bought[1] * 600) / 4)
    assert plan(250, [DFT, replace(CCSDT, seconds=600.0)]).recommended.wall is None
    assert plan(250, levels, workers=10**6).recommended.wall == 600.0, "no less than one label"


def test_a_small_pool_is_pointed_out() -> None:
    levels = [replace(DFT, available=100), replace(CCSDT, available=100)]
    made = plan(250, levels)
    assert made.recommended.bought == (100, 100)
    assert any("59% of the budget stay unspent" in text for text in made.warnings)


def test_one_level_alone_and_several_cheap_ones() -> None:
    alone = plan(100, [CCSDT])
    assert alone.recommended.bought == (100,)
    levels = [
        PricedLevel("mm", 1e-5, available=20_000, kind="force field"),
        PricedLevel("xtb", 1e-4, available=20_000, kind="semi-empirical"),
        DFT,
        CCSDT,
    ]
    many = plan(250, levels)
    fewer = plan(250, levels[2:])
    assert many.recommended.relative.median < 1.05 * fewer.recommended.relative.median
    (without,) = (case.split for case in many.scenarios if case.name == "without dft")
    assert without is not None
    assert without.bought[1] == 20_000
    assert {case.name for case in many.scenarios} >= {"without mm", "without xtb", "without dft"}


def test_json_round_trip_and_seed() -> None:
    points = [CurvePoint(Link(1), 50, 0.3)]
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
    with pytest.raises(UsageError, match="unknown kind of level 'hybrid'"):
        plan(250, [replace(DFT, kind="hybrid"), CCSDT])  # type: ignore[arg-type]
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
