"""The page of commands, written from the program itself: usage, arguments, options, defaults."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HEAD: Final = """\
# Commands

`fidsel --help` lists the commands, `fidsel COMMAND --help` explains one; `fidsel --install-completion`
teaches them to your shell. Commands of a campaign work in its folder, or name it by `-C`. Settings
(`budget.total=3`) are those of [settings.md](settings.md). Results go to standard output, everything else to
standard error.

This page is written by `fidsel config schema --commands`; do not edit it.
"""
Command = Any
"""A command or group of Typer's, which exports neither class in all its versions."""


def commands_page(program: Command) -> str:
    """Return docs/commands.md."""
    parts = [f"{HEAD}\n{program.help}\n"]
    for name, command in _leaves(program, "fidsel"):
        parts.append(f"## {name}\n\n{command.help}\n\n    {_usage(name, command)}\n\n{_table(command)}")
    return "\n".join(parts)


def _leaves(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    """Yield every command below one, with its whole name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for key, child in inner.items():
        yield from _leaves(child, f"{name} {key}")


def _usage(name: str, command: Command) -> str:
    """Return the line of a command: arguments in capitals, in brackets where they may be left out."""
    words = [name, *(_word(one) for one in command.params if one.param_type_name == "argument")]
    return " ".join([*words, "[OPTIONS]"])


def _word(argument: Any) -> str:  # Any: a parameter of Typer's
    word = argument.name.upper() + " ..." * (argument.nargs < 0)
    return word if argument.required else f"[{word}]"


def _table(command: Command) -> str:
    """Return what each argument and option means, with its default."""
    lines = ["| | meaning | default |", "|---|---|---|"]
    for one in command.params:
        is_option = one.param_type_name == "option"
        words = [*one.opts, *one.secondary_opts] if is_option else [one.name.upper()]
        name = ", ".join(f"`{word}`" for word in words)
        more = " May be given several times." if is_option and one.multiple else ""
        text = f"{one.help}{more}".replace("|", r"\|")
        lines.append(f"| {name} | {text} | {_default(one.default)} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if isinstance(value, Path) and not value.parts:
        return "this folder"
    return "" if value is None or value is False else f"`{value}`"
