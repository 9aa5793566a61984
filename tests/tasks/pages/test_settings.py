"""The page on settings is what the schema says, and its examples are campaigns."""

import re
from pathlib import Path

import pytest
from command_line import fidsel

from fidsel.config.schema import Config
from fidsel.tasks.pages.examples import EXAMPLES, Example
from fidsel.tasks.pages.settings import settings_page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_committed_page_is_what_is_generated(capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "config", "schema", "--markdown")
    assert found.code == 0
    told = "write it anew: fidsel config schema --markdown > docs/settings.md"
    assert PAGE.read_text(encoding="utf-8") == found.out == settings_page(), told


@pytest.mark.parametrize("command", ["iterate", "train", "select"])
def test_help_says_where_all_settings_are(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "fidsel config schema --markdown" in " ".join(fidsel(capfd, command, "--help").out.split())


def test_every_key_of_the_schema_is_on_the_page() -> None:
    schema, page = Config.model_json_schema(), settings_page()
    for part in schema["$defs"].values():
        for key, node in part["properties"].items():
            assert f"| `{key}` |" in page or (key == "kind" and str(node.get("const", "Class")) in page)
    anchors = set(re.findall(r"^## `?\[*([a-z]+)", page, re.M))
    assert set(re.findall(r"\]\(#([a-z]+)\)", page)) <= anchors


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_examples_are_on_the_page(example: Example) -> None:
    assert f"```toml\n{example.toml}```" in settings_page()
