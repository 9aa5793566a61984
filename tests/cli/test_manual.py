"""The page of commands is what the program says of itself."""

import re
from pathlib import Path

import pytest
import typer
from command_line import fidsel

from fidsel.cli.app import app
from fidsel.cli.manual import commands_page

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_committed_page_is_what_is_generated(capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "config", "schema", "--commands")
    assert found.code == 0
    told = "write it anew: fidsel config schema --commands > docs/commands.md"
    assert PAGE.read_text(encoding="utf-8") == found.out == commands_page(typer.main.get_command(app)), told


def test_every_command_and_option_of_the_help_is_on_the_page(capfd: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = fidsel(capfd, "--help").out.partition("Commands:")[2]
    names = re.findall(r"^  (\w+) ", told, re.M)
    assert {"train", "config", "label"} <= set(names)
    assert all(re.search(rf"^## fidsel {name}\b", page, re.M) for name in names)
    section = page.partition("## fidsel train\n")[2].partition("\n## ")[0]
    asked = fidsel(capfd, "train", "--help").out
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", asked, re.M)) - {"--help"}
    assert set(re.findall(r"`(--[a-z-]+)`", section)) >= options > {"--out", "--seed"}


def test_what_may_be_left_out_or_repeated_is_told() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "    fidsel train ACCURATE [SETTINGS ...] [OPTIONS]\n" in page
    assert "| `--forces`, `--no-forces` | Whether forces are expected. | `True` |" in page
    assert re.search(r"^\| `--cheap` \| .* May be given several times\. \|  \|$", page, re.M)


def test_one_page_is_printed_at_a_time(capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, "config", "schema", "--commands", "--editing")
    assert found.code == 2
    assert "give one of --markdown, --editing, --commands and --json" in found.err
