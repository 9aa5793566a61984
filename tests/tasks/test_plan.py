"""Plans from Python."""

from pathlib import Path

import pytest

import fidsel
from fidsel.exceptions import UsageError
from fidsel.testing import example_campaign

PRICES = {"ccsdt": 1.0, "dft": 0.025}


def test_prices_may_be_a_mapping_or_words() -> None:
    made = fidsel.plan(budget="250", prices=PRICES)
    assert made == fidsel.plan(budget="250", prices=["ccsdt=1", "dft=0.025"])
    assert made == fidsel.plan(budget=250, prices=PRICES)
    assert made.levels == ("dft", "ccsdt")
    assert str(made.budget) == "250 labels"


def test_a_plan_is_shown_in_the_unit_its_budget_was_written_in() -> None:
    made = fidsel.plan(budget="120core-min", prices={"ccsdt": 100.0, "pbe": 1.0})
    assert str(made.budget) == "120 core-min"
    assert "plan for 120 core-min" in made._repr_html_()


def test_a_campaign_is_planned_from_its_folder(tmp_path: Path) -> None:
    made = fidsel.plan(example_campaign(tmp_path))
    assert made.levels == ("cheap", "accurate")
    assert made.validation == 5
    assert made.recommended.cost <= 16


def test_a_budget_may_be_a_number_and_a_setting_may_stand_alone(tmp_path: Path) -> None:
    folder = example_campaign(tmp_path)
    campaign = fidsel.open_campaign(folder, "campaign.name=mine", budget=20)
    assert (campaign.name, str(campaign.budget)) == ("mine", "20 labels")
    with pytest.raises(UsageError, match="positive number of labels, got 0"):
        fidsel.open_campaign(folder, budget=0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prices": PRICES}, "say what may be spent"),
        ({"prices": PRICES, "budget": "250", "settings": ["seed=1"]}, "no campaign is looked at"),
        ({"prices": PRICES, "budget": "250", "validation": -1}, "must be ≥ 0, got -1"),
        ({"validation": 3}, "goes with --price"),
        ({"prices": {"ccsdt": "x"}, "budget": "250"}, "NAME=COST"),
    ],
)
def test_misuse_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        fidsel.plan(**given)  # type: ignore[arg-type]
