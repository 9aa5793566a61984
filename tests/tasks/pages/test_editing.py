"""The page on editing says what the code does."""

from pathlib import Path

import pytest
from command_line import fidsel

from fidsel.campaign.edits import RULES
from fidsel.tasks.pages.editing import editing_page

PAGE = Path(__file__).parents[3] / "docs" / "editing.md"


def test_the_committed_page_is_what_is_generated(capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "config", "schema", "--editing")
    assert found.code == 0
    told = "write it anew: fidsel config schema --editing > docs/editing.md"
    assert PAGE.read_text(encoding="utf-8") == found.out == editing_page(), told


def test_every_rule_has_a_row() -> None:
    rows = [line for line in editing_page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(RULES)
    assert "| `pool.*` | refused once the pool is sampled | the pool is sampled once and kept |" in rows
    assert "| `engine.*` | harmless | labels do not depend on where they are computed |" in rows
