from dataclasses import replace

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import fit_law
from fidsel.fidelity.planner.priors import law_prior
from fidsel.fidelity.planner.split import LARGEST_SET, PricedLevel, SplitProblem

LAW = fit_law([], law_prior(["dft", "wavefunction"], atoms=9), seed=0)
CHEAP, DEAR = PricedLevel("dft", 0.1), PricedLevel("ccsd(t)", 1.0, owned=4)
PROBLEM = SplitProblem((CHEAP, DEAR), total=100.0, fixed=20.0, minimum=10, law=LAW)


def test_what_money_buys() -> None:
    assert CHEAP.affordable(0.95) == 9
    assert CHEAP.affordable(0.3) == 3, "0.3 / 0.1 is a little less than 3"
    assert CHEAP.affordable(-1.0) == 0
    assert CHEAP.limit == LARGEST_SET
    assert PricedLevel("table", 0.0, available=7).affordable(0.0) == 7


@pytest.mark.parametrize(("given", "message"), [
    ({"cost": -1.0}, "the price of dft must be a number ≥ 0"),
    ({"owned": -1}, "owned and available labels of dft must be ≥ 0"),
    ({"cost": 0.0}, "labels of dft are free: say how many are available"),
])  # fmt: skip
def test_levels_that_cannot_be(given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(CHEAP, **given)  # type: ignore[arg-type]


def test_the_minimum_is_set_aside_first() -> None:
    assert (PROBLEM.money, PROBLEM.least, PROBLEM.spare) == (80.0, 6, 74.0)
    assert PROBLEM.open
    assert not PROBLEM.with_total(25.0).open
    assert PROBLEM.repriced(1, 20.0).spare == 80.0 - 6 * 20.0


def test_purchases_cost_what_their_labels_do() -> None:
    alone = PROBLEM.only_accurate()
    assert alone.best() == alone.mostly(0, 0.5) == (0, 80)
    assert PROBLEM.mostly(0, 0.5) == (400, 40)
    assert PROBLEM.mostly(0, 1.0) == (740, 6), "the minimum of accurate labels stays"
    assert PROBLEM.cost((400, 40)) == pytest.approx(80.0)


def test_the_best_purchase_beats_others_and_spends_what_there_is() -> None:
    best = PROBLEM.best()
    assert best[1] >= PROBLEM.least
    assert PROBLEM.money - 1 < PROBLEM.cost(best) <= PROBLEM.money * (1 + 1e-9)

    def score(bought: tuple[int, ...]) -> float:
        return float(np.log(PROBLEM.errors(bought)).mean())

    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9):
        assert score(best) <= score(PROBLEM.mostly(0, share)) + 2e-3


def test_accurate_labels_alone_are_the_measure() -> None:
    np.testing.assert_array_equal(PROBLEM.standard_errors(), PROBLEM.law.errors(84, (0,)))


def test_levels_that_are_left_out_cost_nothing() -> None:
    paired = replace(PROBLEM, levels=(CHEAP, replace(DEAR, cost=1.1, companion=0.1)))
    without = paired.without(0)
    assert without.accurate.cost == pytest.approx(1.0)
    assert without.accurate.companion == 0
    assert without.best() == (0, 80)
