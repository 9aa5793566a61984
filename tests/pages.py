"""Pages of the documentation as what can be run: blocks of code, files, commands and what they print."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import typer

HOME = Path(__file__).parent.parent
"""The checkout: the package itself may be an installed one."""
PAGES = sorted([*HOME.glob("*.md"), *(HOME / "docs").rglob("*.md")])
FENCE = re.compile(r"^(?:`([\w./]+)`:\n\n)?```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (?:\$ )?(fidsel .*)", re.MULTILINE)
NUMBER = re.compile(r"[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
RULE = re.compile(r"[─━┏┓┗┛┡┩┳┻╇┴┬┼└┘┌┐├┤╈╋│┃]+")


@dataclass(frozen=True)
class Block:
    """A block between fences.

    Parameters
    ----------
    language : as it is written behind the fence.
    file : the name above the block, where it is the text of a file; else "".
    """

    language: str
    text: str
    file: str


@dataclass(frozen=True)
class Step:
    """A command of a console block and what the page says that it prints."""

    command: str
    shown: tuple[str, ...]


def blocks(page: Path, language: str = "") -> list[Block]:
    """Return the blocks of a page in their order, or those of one language."""
    found = [Block(lang, text, file) for file, lang, text in FENCE.findall(page.read_text("utf-8"))]
    return [block for block in found if language in ("", block.language)]


def steps(block: Block) -> list[Step]:
    """Return the commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [Step(lines[0], tuple(lines[1:])) for lines in (part.splitlines() for part in parts)]


def commands(page: Path) -> list[str]:
    """Return every line of a page that calls fidsel, of indented and of console blocks."""
    text = page.read_text("utf-8")
    fenced = [step.command for block in blocks(page, "console") for step in steps(block)]
    plain = FENCE.sub("", text)
    return [line for line in [*INDENTED.findall(plain), *fenced] if line.startswith("fidsel ")]


def parse(line: str) -> dict[str, object]:
    """Return the arguments of a command line by name, without running it; errors are Typer's."""
    words = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(_app())
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words[0]]
        words = words[1:]
    if hasattr(command, "commands"):
        raise ValueError(f"no command of fidsel: {line}")
    context = command.make_context(command.name, words)
    return {"command": command, **context.params}


def prints(shown: tuple[str, ...], output: str) -> str:
    """Return the first line that was shown and not printed, "" where all were.

    Numbers differ from run to run and are not compared, and the borders of tables are not. A line that ends
    in "..." is the beginning of one.
    """
    lines = [_words(line) for line in output.splitlines()]
    for line in shown:
        wanted = _words(line.removesuffix("..."))
        if not any(one.startswith(wanted) if line.endswith("...") else one == wanted for one in lines):
            return line
    return ""


def _words(line: str) -> str:
    return " ".join(NUMBER.sub("#", RULE.sub(" ", line)).split())


def _app() -> typer.Typer:
    from fidsel.cli.app import app

    return app
