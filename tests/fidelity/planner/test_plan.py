import json
from dataclasses import replace

import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import Interval
from fidsel.fidelity.planner.plan import Plan, Scenario, Split, UnbudgetedLabels

SPLIT = Split((2000, 200), 250.0, Interval(0.6, 0.5, 0.75), Interval(0.012, 0.01, 0.015), 3600.0)
BARE = Split((0, 250), 250.0, Interval(1.0, 1.0, 1.0))
PLAN = Plan(
    ("dft", "ccsd(t)"), (0.025, 1.0), (0, 3), 250.0, "label", 10.0, 10, "pilot", 7, SPLIT, (SPLIT, BARE),
    (SPLIT,), (Scenario("half the budget", BARE), Scenario("a tenth of it", None)), 4, 0, ("few points",),
    0.025, (UnbudgetedLabels("test labels", 100, 100.0),),
)  # fmt: skip


def test_a_plan_goes_to_json_and_back() -> None:
    assert Plan.from_json(PLAN.to_json()) == PLAN


def test_a_plan_says_what_to_buy() -> None:
    assert repr(PLAN) == (
        "Plan(250 labels: buy 2000 dft + 200 ccsd(t); error 0.60 (0.50–0.75) of that of accurate labels "
        "alone, by 7 measured points)"
    )
    assert "by other molecules" in repr(replace(PLAN, basis="priors"))
    assert repr(replace(PLAN, unit="apples")).startswith("Plan(250 apples: ")


def test_the_recommended_split_leads_the_table() -> None:
    html = replace(PLAN, table=(BARE, SPLIT))._repr_html_()
    assert html.index("<td>2000</td>") < html.index("<td>250</td>")
    assert html.count("<td>2000</td>") == 1
    assert "few points" in html


@pytest.mark.parametrize("damage", ["{", "[]", '{"levels": 3}', "null"])
def test_another_document_is_no_plan(damage: str) -> None:
    with pytest.raises(UsageError, match=r"not a plan: .* write it again with `fidsel plan`"):
        Plan.from_json(damage)
    more = json.dumps(json.loads(PLAN.to_json()) | {"extra": 1})
    with pytest.raises(UsageError, match="not a plan"):
        Plan.from_json(more)


def test_plans_that_count_no_labels_show_those_asked_for() -> None:
    """Plans kept by earlier versions."""
    record = json.loads(PLAN.to_json())
    for row in (record["recommended"], *record["table"], *record["pareto"], record["scenarios"][0]["split"]):
        del row["labels"]
    assert Plan.from_json(json.dumps(record)) == PLAN
    assert PLAN.recommended.labels == PLAN.recommended.bought
