"""Pages that teach by example run as they stand: tutorials with their output, others' Python."""

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from command_line import fidsel
from pages import HOME, Block, Step, blocks, parse, prints, steps

TUTORIALS = sorted((HOME / "docs" / "tutorials").glob("*.md"))
SMALLER = re.compile(r"^<!-- tested with (.*?) -->$", re.MULTILINE | re.DOTALL)
"""Settings that make a tutorial's campaign small; readers of the built page do not see them."""


@pytest.mark.parametrize(
    ("page", "campaign"),
    [
        ("docs/python.md", ""),
        ("README.md", "fidsel-demo"),
        ("docs/ledger.md", "methanol"),
        ("docs/md_howto.md", "methanol"),
    ],
)
def test_the_python_of_a_page_runs(
    page: str, campaign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_campaign: Path
) -> None:
    """Pages that take a finished campaign find a small one under its name."""
    monkeypatch.chdir(tmp_path)
    if campaign:
        shutil.copytree(small_campaign, tmp_path / campaign)
    names: dict[str, object] = {}
    for block in blocks(HOME / page, "python"):
        exec(compile(block.text, page, "exec"), names)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_does_and_prints_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    smaller = " ".join(SMALLER.findall(page.read_text("utf-8"))).split()
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.file:
            Path(block.file).write_text(block.text, "utf-8")
        elif block.language == "python":
            exec(compile(block.text, page.name, "exec"), names)
        elif block.language == "console":
            type_in(block, smaller, monkeypatch, capfd)


def type_in(
    block: Block, smaller: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Run the commands of a block; a command fails where `echo $?` after it says so."""
    for step, after in pairwise([*steps(block), Step("", ())]):
        words = step.command.split()
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[0] == "fidsel":
            settings = smaller if "settings" in parse(step.command) else []
            found = fidsel(capfd, *words[1:], *settings)
            told = int(after.shown[0]) if after.command == "echo $?" else 0
            assert found.code == told, found.err
            missing = prints(step.shown, f"{found.out}\n{found.err}")
            assert not missing, f"{step.command} does not print {missing!r}:\n{found.out}{found.err}"
        else:
            assert step.command == "echo $?", f"the test does not know {step.command!r}"
