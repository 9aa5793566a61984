"""The least budget is told early, with what could be changed, and a budget of it is enough."""

from math import nan
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_campaign import run, write_campaign

from fidsel.campaign import plan_campaign
from fidsel.campaign.loop import silent
from fidsel.campaign.plans.minimum_budget import (
    SCATTER,
    MinimumBudget,
    assumed_prices,
    highest_price,
    shown_above,
)
from fidsel.campaign.settings import Campaign
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore, Ledger
from fidsel.fidelity.budget import SPELLINGS, Budget
from fidsel.fidelity.buying.reservations import MARGIN, Reservations

MEASURED = [f"fidelity.{i}.price={{per='core-second',value=1}}" for i in (0, 1)]


def test_the_least_is_validation_and_the_fewest_training_frames() -> None:
    least = MinimumBudget("ccsd(t)", price=60.0, companion=2.0, validation=8, training=3, wasted=6.0)
    assert least.total == 6 + 8 * 60 + 3 * 62
    with pytest.raises(UsageError) as caught:
        least.require(Budget.parse("8 core-min"))
    for part in (
        "the budget of 8 core-min cannot pay",
        "8 validation labels and at least 3 training labels of ccsd(t)",
        "take 11.2 core-min: 1 core-min for a label of ccsd(t)",
        "and 0.1 core-min are spent already",
        "Raise budget.total to that (some 30 training labels would take 39.1 core-min)",
        "lower campaign.validation to 4",
        "name a quicker accurate level than ccsd(t)",
    ):
        assert part in str(caught.value)
    with pytest.raises(UsageError) as caught:
        least.require(Budget.parse("5 core-min"))
    assert "campaign.validation" not in str(caught.value), "fewer validation labels would not help"


def measured(tmp_path: Path, *overrides: str) -> Campaign:
    """Return a campaign whose labels are measured in core-seconds, none of them stated beforehand."""
    folder = write_campaign(tmp_path, cheap="pause = -1", accurate="pause = -1")
    return open_campaign(folder, [*MEASURED, "budget={total=60, unit='core-s'}", *overrides])


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(price=st.floats(0.3, 5e3), cheap=st.floats(0.01, 1.0))
def test_a_budget_of_just_the_minimum_pays_for_every_label(
    tmp_path: Path, price: float, cheap: float
) -> None:
    """The last label is begun only where `MARGIN` times its price is left."""
    campaign = measured(tmp_path)
    least = MinimumBudget.of(campaign, {"cheap": cheap * price, "accurate": price})
    budget = Budget(least.total, "core-second")
    ordered = [(campaign.accurate, price)] * least.validation
    ordered += [(campaign.cheap[0], cheap * price)] * least.training
    ordered += [(campaign.accurate, price)] * least.training
    with LabelStore(tmp_path / "orders.db") as store:
        free = budget.total
        for left, (level, cost) in zip(range(len(ordered), 0, -1), ordered, strict=True):
            order = Reservations(level, budget, 1, store).order("frame", cost * SCATTER, free, left)
            assert order is not None
            free -= cost * SCATTER
    assert free == pytest.approx((MARGIN - 1) * price * SCATTER)


def test_stated_and_declared_prices_need_no_headroom(tmp_path: Path) -> None:
    prices = {"cheap": 0.1, "accurate": 2.0}
    stated = measured(tmp_path / "a", "fidelity.1.options.pause=0.0")
    assert MinimumBudget.of(stated, prices).headroom == 0.0
    assert MinimumBudget.of(open_campaign(write_campaign(tmp_path / "b")), prices).headroom == 0.0
    assert MinimumBudget.of(measured(tmp_path / "c"), prices).headroom == pytest.approx(1.05)


def test_the_highest_price_takes_the_whole_budget(tmp_path: Path) -> None:
    """(60 − 1)/1.05 − 3·2 = 50.19 core-s are left for 8.5 labels; a cheap one costs at most as much."""
    campaign = measured(tmp_path)
    cheap, accurate = campaign.fidelities
    found = highest_price(campaign, {"cheap": 2.0, "accurate": nan}, accurate, wasted=1.0)
    assert found == pytest.approx((59 / 1.05 - 6) / 8.5)
    assert MinimumBudget.of(campaign, {"cheap": 2.0, "accurate": found}, 1.0).total == pytest.approx(60)
    unknown = {"cheap": nan, "accurate": nan}
    assert highest_price(campaign, unknown, cheap, 1.0) == pytest.approx(59 / 1.05 / 11.5)
    assert assumed_prices(campaign, unknown, accurate, 4.0) == {"cheap": 0.0, "accurate": 4.0}


@settings(deadline=None, max_examples=100)
@given(st.floats(1e-4, 1e7), st.sampled_from([name for name in SPELLINGS if name]))
def test_the_amount_told_is_enough_when_it_is_given(amount: float, unit: str) -> None:
    told = shown_above(Budget.parse(f"1{unit}"), amount)
    given_back = Budget.parse(told)
    assert given_back.total >= amount * (1 - 1e-9)
    assert given_back.total <= amount * 1.011


def test_a_plan_that_cannot_be_is_refused_after_one_label_a_level(tmp_path: Path) -> None:
    """Five labels for validation and three to train on take 16 core-seconds, a little more with scatter."""
    folder = write_campaign(tmp_path, cheap="slow = 0.1", accurate="slow = 2.0")
    seconds = ["fidelity.0.options.seconds=0.1", "fidelity.1.options.seconds=2.0"]
    small = [*MEASURED, *seconds, "budget={total=10, unit='core-s'}"]
    with pytest.raises(UsageError, match=r"the budget of 10 core-s cannot pay .* take 17\.2 core-s"):
        plan_campaign(open_campaign(folder, small), silent)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("SELECT count(*) FROM labels") == [(2,)]
        assert Ledger(store).spent() == pytest.approx(2.1)
    enough = [*MEASURED, *seconds, "budget={total=17.2, unit='core-s'}", "campaign.rounds=0"]
    (found,) = run(folder, *enough)
    assert found.labels["accurate"] == 8
    assert found.spent <= 17.2 * (1 + 1e-9)


def test_declared_prices_are_refused_without_buying_any(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with pytest.raises(UsageError, match=r"the budget of 8 labels cannot pay .* take 8\.15 labels"):
        plan_campaign(open_campaign(folder, ["budget.total=8"]), silent)
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("SELECT count(*) FROM attempts") == [(0,)]
    assert plan_campaign(open_campaign(folder, ["budget.total=8.15"]), silent).recommended.bought[-1] == 3
