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
