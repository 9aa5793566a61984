"""What can be seen of a campaign from outside before its first round ends, while a driver works."""

import os
from pathlib import Path
from typing import Any

import pytest
from command_line import fidsel
from tiny_campaign import finish, outcome, write_campaign

from fidsel.campaign import iterate
from fidsel.campaign.progress import Step
from fidsel.campaign.records.summary import summarise
from fidsel.config.build import open_campaign
from fidsel.fidelity.budget import Budget

BUDGET = Budget(22.0, "label")


def seen(folder: Path, *overrides: str) -> list[tuple[str, dict[str, Any]]]:
    """Run a campaign and return what `summarise` told whenever the driver reported something."""
    found: list[tuple[str, dict[str, Any]]] = []

    def look(what: str, done: int, total: int, detail: str = "") -> None:
        found.append((what, summarise(folder, BUDGET).to_dict()))

    for _ in iterate(open_campaign(folder, overrides), look):
        pass
    return found


def steps(told: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {step["what"]: (step["done"], step["total"]) for step in told["progress"]["steps"]}


def test_stages_and_steps_of_a_round_can_be_followed(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    assert summarise(folder, BUDGET).state == "not started"
    found = seen(folder, "campaign.rounds=1", "campaign.control=bought")
    first = [told for _, told in found if not told["rounds"]]
    stages = list(dict.fromkeys(told["progress"]["stage"] for told in first))
    assert stages == [
        "pool",
        "validation labels of accurate",
        "test labels of accurate",
        "training labels of cheap",
        "training labels of accurate",
        "training",
        "control arm's labels of accurate",
        "training the control arm",
    ]
    assert all(told["state"] == "round 0 is under way" for told in first)
    assert all(f"pid {os.getpid()} on" in told["driver"] for told in first)
    assert steps(first[0]) == {"pool": (0, 1)}
    labels = next(told for what, told in found if what == "accurate labels (test)")
    done = steps(labels)
    assert done["pool of 120 configurations"] == (1, 1)
    assert done["validation labels of accurate"] == (5, 5)
    assert 0 < done["test labels of accurate"][0] <= done["test labels of accurate"][1] == 10
    assert done["training labels of cheap"][0] == 0
    assert done["training labels of cheap"][1] >= done["training labels of accurate"][1] > 0
    training = next(told for what, told in found if what == "training")
    assert all(part == whole for part, whole in steps(training).values())
    control = next(told for what, told in found if what == "accurate labels (control)")
    part, whole = steps(control)["control arm's labels of accurate"]
    assert 0 < part <= whole
    second = [told for _, told in found if len(told["rounds"]) == 1]
    assert second[0]["state"] == "round 1 is under way"
    assert "training labels of cheap" in steps(second[-1])
    assert "pool of 120 configurations" not in steps(second[-1])


def test_a_finished_campaign_has_no_progress(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    finish(open_campaign(folder, ["campaign.rounds=0"]))
    told = summarise(folder, BUDGET).to_dict()
    assert told["finished"]
    assert told["progress"] is None
    assert told["driver"] is None
    assert told["best"]["round"] == 0


def test_pilot_labels_are_counted_before_there_is_a_plan(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, cheap="pause = 0", accurate="pause = 0")
    words = ('budget={total = 22.0, unit = "core-s"}', "campaign.rounds=0")
    prices = ['fidelity.0.price={per = "core-second"}', 'fidelity.1.price={per = "core-second"}']
    found = seen(folder, *words, *prices)
    pilots = [told for what, told in found if what == "cheap labels (pilot)"]
    counted = [steps(told)["pilot labels of cheap"] for told in pilots]
    assert (3, 3) in counted, "to learn what a label costs"
    assert counted[-1][0] == counted[-1][1] > 3, "to learn what it brings"
    assert "training labels of cheap" not in steps(pilots[-1])


def test_failed_labels_are_finished_ones(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 2')
    found = seen(folder, "campaign.rounds=0")
    last = [told for what, told in found if what == "training"][-1]["progress"]["steps"]
    validation = next(step for step in last if step["what"] == "validation labels of accurate")
    assert validation["done"] == validation["total"] == 5
    assert 0 < validation["failed"] < 5
    assert str(Step("x", 5, 5, 2)) == "x: 5/5, 2 failed"


@pytest.mark.slow
def test_status_says_where_a_stopped_campaign_stands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_campaign(tmp_path, accurate='act = "raise", one_in = 1')
    status, text = outcome(folder)
    assert status == 1, text
    shown = fidsel(capfd, "status", "-C", folder)
    assert shown.code == 0
    assert "round 0 is under way" in shown.out
    assert "round 0, pool of 120 configurations: 1/1" in shown.err
    assert "last begun: validation labels of accurate: 3/5, 3 failed, since" in shown.err
    assert "no process works on it: `fidsel iterate` begins or goes on" in shown.err
