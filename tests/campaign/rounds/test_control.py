"""What a campaign saved at equal error, and how well that is known; what its control arm has to pay."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import run, write_campaign

from fidsel.campaign.records.comparison import control_trace
from fidsel.campaign.records.curves import CONTROL, learning_curves
from fidsel.campaign.records.round import ControlArm, Round, Saving
from fidsel.campaign.rounds.control import FADE, REACH, Terms, saving, through
from fidsel.fidelity import Budget, LabelStore, Ledger
from fidsel.fidelity.planner.law import REFERENCE, CurvePoint, Law, Link, fit_law
from fidsel.fidelity.planner.priors import law_prior

TERMS = Terms(price=2.0, validation=5)
PRICE, VALIDATION = TERMS
CURVE = {10: 1.0, 20: 0.5, 40: 0.25}  # β = 1: error = 10 / labels


def saved(law: Law, spent: float, error: float) -> Saving:
    return saving(law, CURVE, error, spent, TERMS)


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


def test_where_the_curve_was_measured_the_fit_does_not_overrule_it() -> None:
    off = law((30.0, 1.0))  # takes thrice as many labels as were measured
    for labels, error in CURVE.items():
        found = saving(off, CURVE, error, 60.0, TERMS)
        assert found.share == pytest.approx(1 - 60 / TERMS.cost(labels))
    between = saving(off, CURVE, 0.5**1.5, 60.0, TERMS)
    assert between.share == pytest.approx(1 - 60 / TERMS.cost(20 * 2**0.5))
    factors = [through(off, CURVE, 0.25 * np.exp(-part * FADE)) for part in (0.0, 0.5, 1.0, 2.0)]
    assert factors == pytest.approx([1 / 3, 3**-0.5, 1.0, 1.0]), "beyond them it comes back, without a jump"


def test_a_point_that_is_no_better_than_one_with_fewer_labels_does_not_count() -> None:
    off = law((30.0, 1.0))
    assert through(off, {**CURVE, 50: 0.3}, 0.3) == pytest.approx(through(off, CURVE, 0.3))


@pytest.fixture(scope="module")
def used_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[Round, ...]:
    """Rounds of a campaign whose pool has fewer candidates than its budget would pay for."""
    folder = write_campaign(tmp_path_factory.mktemp("small"), n=45)
    return tuple(run(folder, "campaign.control=bought", "budget.total=60", "campaign.rounds=4"))


def arm_of(record: Round) -> ControlArm:
    assert record.control is not None
    return record.control


def test_an_arm_whose_pool_is_used_up_stands_at_what_its_labels_cost(used_up: tuple[Round, ...]) -> None:
    last = used_up[-1]
    arm, first = arm_of(last), arm_of(used_up[0])
    assert (first.used_up, first.at) == (False, used_up[0].spent)
    assert arm.used_up
    assert arm.at == arm.labels == arm.spent + 5 < last.spent - 1
    assert arm.basis == "measured, on every label that the pool gives"
    trace = control_trace(used_up)
    assert trace is not None
    assert trace.used_up
    assert (trace.spent[-1], trace.error[-1]) == (arm.at, arm.error)
    assert list(learning_curves(used_up, Budget(60.0, "label"))[1].spend) == list(trace.spent)
    assert any(note.startswith(f"control arm: the pool gives {arm.labels} labels") for note in last.notes)
    assert not any("control arm" in note for note in used_up[0].notes)


def test_a_saving_is_what_was_measured_where_both_arms_have_the_same_labels(
    used_up: tuple[Round, ...],
) -> None:
    last = used_up[-1]
    arm = arm_of(last)
    assert arm.labels == last.labels["accurate"]
    assert last.metrics.headline == pytest.approx(arm.error, rel=0.05)
    assert arm.saving.share == pytest.approx(1 - last.spent / arm.at, abs=0.05)
    assert arm.saving.low <= 1 - last.spent / arm.at <= arm.saving.high


def test_the_arm_pays_for_labels_that_fail_and_gets_others_in_their_place(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, n=200, accurate='act = "raise"')
    last = run(folder, "campaign.control=bought", "budget.total=40")[-1]
    arm = arm_of(last)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        lines = [line for line in Ledger(store).lines() if line.kind != "shared"]
    tried = [line.kind for line in lines if line.amount == 1.0]
    rate = tried.count("label") / len(tried)
    assert rate < 0.9
    assert arm.labels == pytest.approx(last.spent * rate, abs=1.5)
    assert arm.spent > arm.trained, "those that failed were paid for"
    assert not arm.used_up
    price = 1 / rate
    reached = last.spent / (1 - arm.saving.share) / price
    assert arm.saving.at_least or reached >= 5


def test_an_arm_whose_kind_was_edited_is_told_by_its_last_kind(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    run(folder, "campaign.control=owned", "campaign.rounds=1", "budget.total=18")
    made = run(folder, "campaign.control=bought", "campaign.rounds=2")
    assert [arm_of(one).kind for one in made] == ["owned", "owned", "bought"]
    trace = control_trace(made)
    assert trace is not None
    assert (trace.spent, trace.extrapolated) == ((made[-1].spent,), False)
    _, drawn = learning_curves(made, Budget(22.0, "label"))
    assert (drawn.name, list(drawn.error)) == (CONTROL["bought"], [arm_of(made[-1]).error])
    again = [*made[2:], *(replace(one, spent=one.spent + 9) for one in made[:2])]
    assert learning_curves(again, Budget(22.0, "label"))[1].name == CONTROL["owned"]
