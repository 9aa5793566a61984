from dataclasses import replace

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import fit_law
from fidsel.fidelity.planner.priors import law_prior
from fidsel.fidelity.planner.split import LARGEST_SET, PricedLevel, SplitProblem, Start

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


def paired(frames: int | None, start: Start) -> SplitProblem:
    """Return a problem in which accurate frames get cheap labels, too."""
    cheap = replace(CHEAP, available=frames)
    dear = PricedLevel("ccsd(t)", 1.1, available=frames, companion=0.1)
    return SplitProblem((cheap, dear), total=40.0, fixed=5.0, minimum=3, law=LAW, start=start)


def test_no_frame_is_labelled_twice() -> None:
    problem = paired(60, Start())
    assert problem.labels((60, 60)) == problem.labels((0, 60)) == (60, 60)
    assert problem.cost((60, 60)) == problem.cost((21, 60)) == pytest.approx(66.0)
    assert problem.trained((21, 60)) == (60, (60,))
    assert problem.score((60, 60)) == problem.score((0, 60))
    assert problem.labels((50, 20)) == (50, 20), "those of the accurate frames are among them"
    assert problem.cost((50, 20)) == pytest.approx(25.0)


def test_frames_picked_later_mostly_have_no_cheap_label_yet() -> None:
    few, many = paired(100, Start(0.5)), paired(None, Start(0.5))
    assert few.labels((52, 20)) == (57, 20), "of 90 frames 42 have a label, so 5 of 10 picks need one"
    assert few.labels((100, 20)) == (100, 20)
    assert few.labels((0, 100)) == few.labels((70, 100)) == (100, 100)
    assert many.labels((52, 20)) == (62, 20)
    assert many.labels((0, 20)) == (20, 20)
    assert many.cost((52, 20)) == pytest.approx(26.2)
    assert many.trained((52, 20)) == (20, (62,))
    assert replace(many, start=Start(0.5, least=15)).labels((52, 20)) == (57, 20)


def test_owned_cheap_labels_are_those_of_frames_to_be_picked_as_well() -> None:
    cheap, dear = paired(None, Start(0.0)).levels
    levels = (replace(cheap, owned=60, available=40), replace(dear, owned=20, available=80))
    problem = replace(paired(None, Start(0.0)), levels=levels)
    assert problem.labels((0, 40)) == (20, 40), "40 of 80 frames have a label, half of the picks need one"
    assert problem.labels((0, 80)) == (40, 80)
    assert problem.cost((0, 80)) == pytest.approx(84.0)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("frames", [30, 60, 500])
def test_the_money_is_spent_on_labels_and_never_exceeded(share: float, frames: int) -> None:
    problem = paired(frames, Start(share))
    for bought in (problem.best(), *(problem.mostly(0, share) for share in (0.05, 0.3, 0.6, 1.0))):
        cheap, dear = problem.labels(bought)
        assert dear <= cheap <= frames
        assert problem.cost(bought) == pytest.approx(0.1 * cheap + dear)
        assert problem.cost(bought) <= problem.money * (1 + 1e-9)
        more = (*bought[:-1], bought[-1] + 1)
        assert bought[-1] == frames or problem.cost(more) > problem.money
        assert bought[-1] >= problem.least


def test_a_price_changes_that_of_companions_alone() -> None:
    problem = paired(None, Start())
    dearer, cheaper = problem.repriced(0, 2.0), problem.repriced(1, 0.5)
    assert (dearer.accurate.cost, dearer.accurate.companion) == pytest.approx((1.2, 0.2))
    assert dearer.cost((0, 10)) == pytest.approx(12.0)
    assert (cheaper.accurate.cost, cheaper.accurate.companion) == pytest.approx((0.6, 0.1))
    assert cheaper.cost((0, 10)) == pytest.approx(6.0)
    assert cheaper.consistent
    assert not replace(problem, levels=(CHEAP, replace(DEAR, cost=1.5, companion=0.5))).consistent
