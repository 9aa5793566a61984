"""`fidsel status`: where a campaign stands."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import fidsel


def parsed(text: str) -> Any:
    """Return the one JSON document in a text, which may hold no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_tables_without_json(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown = fidsel(capfd, "status", "-C", finished)
    assert shown.code == 0
    assert "accurate" in shown.out
    assert "spent" in shown.err


def test_overrides_reach_the_campaign(finished: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "status", "-C", finished, "budget.total=99", "--json")
    assert parsed(found.out)["budget"]["total"] == 99
    assert parsed(found.out)["budget_of_last_round"]["total"] == 12
    told = fidsel(capfd, "status", "-C", finished, "budget.total=99")
    assert "budget 99 labels (12 labels in the last round), spent" in told.err


def test_what_the_next_round_makes_of_edits_is_told_before_it(
    finished: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert parsed(fidsel(capfd, "status", "-C", finished, "--json").out)["edits"] == {
        "refused": "",
        "taken": [],
    }
    taken = fidsel(capfd, "status", "-C", finished, "budget.total=99", "engine.workers=2")
    assert "edited, from the next round on: budget.total = 99 labels (it was 12 labels)" in taken.err
    assert "engine" not in taken.err, "harmless"
    for edit, words in (
        ("campaign.seed=7", "begun with campaign.seed = 0, got 7"),
        ("fidelity.0.price.value=0.07", "begun with fidelity.cheap.price"),
        ("recipe.kind=nowhere:Recipe", "nowhere"),
    ):
        told = fidsel(capfd, "status", "-C", finished, edit)
        driven = fidsel(capfd, "iterate", "-C", finished, edit)
        said = driven.err.splitlines()[-1].removeprefix("fidsel: ")
        assert (told.code, driven.code) == (0, 2)
        assert f"refuses the settings as they are now: {said}" in told.err
        assert words in said
