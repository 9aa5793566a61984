"""The pages say what is so: their examples run, and the files, modules and folders they name are there."""

import ast
import re
import runpy
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from pages import HOME, PAGES, blocks, commands, parse
from test_layers import ORDER, ROOT

from fidsel.config.schema import Config

ARCHITECTURE = HOME / "docs" / "architecture.md"
ROOM = 20
"""Characters of the name of a folder in the list of rooms."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_import_what_there_is(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("fidsel"):
                for alias in node.names:
                    assert hasattr(import_module(str(node.module)), alias.name), f"{page.name}: {alias.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_are_understood(page: Path) -> None:
    """Names of commands and options are right; `commands.md` has usage lines, which are no commands."""
    for line in commands(page) if page.name not in ("commands.md", "CHANGELOG.md") else ():
        assert parse(line), f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_that_a_page_shows_are_valid(page: Path) -> None:
    """A part of a file is put into a whole one, that of the README, levels above its cheap one."""
    whole = tomllib.loads(blocks(HOME / "README.md", "toml")[0].text)
    for block in blocks(page, "toml"):
        shown = tomllib.loads(block.text)
        if not {"pool", "fidelity", "budget"} <= shown.keys():
            levels = [whole["fidelity"][0], *shown.get("fidelity", whole["fidelity"][1:])]
            shown = whole | shown | {"fidelity": levels}
        Config.model_validate(shown)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda p: p.name
)
def test_files_modules_and_links_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    for path in re.findall(r"`((?:fidsel|tests|benchmarks)/[\w/.]*)`", text):
        assert (HOME / path).exists(), f"{page.name} names {path}"
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
    for dotted in re.findall(r"\bfidsel(?:\.[A-Za-z_]\w*)+", text):
        if dotted not in ("fidsel.toml",):
            assert found(dotted), f"{page.name} names {dotted}"


def found(dotted: str) -> bool:
    """Return whether a dotted name is a module, or an attribute of one."""
    module, *names = dotted.split(".")
    here: object = import_module(module)
    for name in names:
        if not hasattr(here, name):
            try:
                import_module(f"{module}.{name}")
            except ModuleNotFoundError:
                return False
        here, module = getattr(here, name), f"{module}.{name}"
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_that_a_page_names_are_there(page: Path) -> None:
    """A name without a folder is a benchmark, a script of docs/, or a file that the page itself shows."""
    text = page.read_text("utf-8") if page.name != "CHANGELOG.md" else ""
    for name in set(re.findall(r"`(\w+\.py)\b[^`]*`", text)):
        own = f"# {name}" in text or name in [block.file for block in blocks(page)]
        places = [HOME / folder / name for folder in ("benchmarks", "docs")]
        assert own or any(place.exists() for place in places), f"{page.name} names {name}"


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    told = (HOME / "mkdocs.yml").read_text("utf-8")
    pages = [page.relative_to(HOME / "docs").as_posix() for page in (HOME / "docs").rglob("*.md")]
    assert [page for page in pages if not re.search(rf"[:-] {page}$", told, re.MULTILINE)] == []


def test_the_picture_shows_the_parts_in_their_order_and_every_step() -> None:
    drawn = runpy.run_path(str(HOME / "docs" / "architecture_picture.py"))
    parts = [part for _, group in drawn["GROUPS"].values() for part in group]
    assert [part.name for part in parts] == ORDER[::-1]
    steps = re.findall(r"^(\d+)\. ", ARCHITECTURE.read_text(), re.MULTILINE)
    assert {str(step) for part in parts for step in part.steps} == set(steps)
    told = "write it anew: python docs/architecture_picture.py"
    assert drawn["PICTURE"].read_text("utf-8") == drawn["picture"](), told


def test_the_rooms_are_listed_with_the_first_line_of_their_docstrings() -> None:
    text = ARCHITECTURE.read_text()
    right = "\n".join(rooms())
    assert right in text, f"the list of rooms in {ARCHITECTURE} should be:\n{right}"


def rooms() -> list[str]:
    """Return a line for each part and each folder in it."""
    lines = []
    for part in ORDER:
        folder = ROOT / part
        path = folder if folder.is_dir() else ROOT / f"{part}.py"
        lines.append(f"    {path.name + '/' * path.is_dir():<{ROOM}} {purpose(path)}")
        inside = sorted(one.parent for one in folder.glob("*/__init__.py"))
        lines += [f"      {one.name + '/':<{ROOM - 2}} {purpose(one)}" for one in inside]
    return lines


def purpose(path: Path) -> str:
    """Return the first line of a module's or a package's docstring."""
    text = (path / "__init__.py" if path.is_dir() else path).read_text()
    return (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
