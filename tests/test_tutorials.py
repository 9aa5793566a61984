"""The pages that teach by example run as they stand: python.md, the README and the tutorials."""

import re
import shutil
from pathlib import Path

import pytest
from command_line import fidsel
from pages import HOME, Block, blocks, parse, prints, steps

TUTORIALS = sorted((HOME / "docs" / "tutorials").glob("*.md"))
SMALLER = re.compile(r"^<!-- tested with (.*?) -->$", re.MULTILINE | re.DOTALL)
"""Settings that make a tutorial's campaign small; readers of the built page do not see them."""


def test_the_examples_from_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(HOME / "docs" / "python.md", "python"):
        exec(compile(block.text, "python.md", "exec"), names)


def test_the_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_campaign: Path
) -> None:
    shutil.copytree(small_campaign, tmp_path / "fidsel-demo")
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(HOME / "README.md", "python")
    names: dict[str, object] = {}
    exec(compile(block.text, "README.md", "exec"), names)
    assert hasattr(names["calculator"], "get_potential_energy")


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
    typed = [*steps(block), None]
    for step, after in zip(typed, typed[1:], strict=False):
        words = step.command.split()
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[0] == "fidsel":
            settings = smaller if "settings" in parse(step.command) else []
            found = fidsel(capfd, *words[1:], *settings)
            told = int(after.shown[0]) if after and after.command == "echo $?" else 0
            assert found.code == told, found.err
            missing = prints(step.shown, f"{found.out}\n{found.err}")
            assert not missing, f"{step.command} does not print {missing!r}:\n{found.out}{found.err}"
        else:
            assert step.command == "echo $?", f"the test does not know {step.command!r}"
