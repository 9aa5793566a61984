"""Amounts on the command line: a budget whose unit stands apart, times and temperatures."""

import re
from typing import Any, Final

from typer.core import TyperCommand

from fidsel.exceptions import UsageError

OPTION: Final = "--budget"
NUMBER: Final = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
UNIT: Final = re.compile(
    r"(?:core|cpu|gpu|node)\S*|labels?|h|hours?|min|minutes?|s|sec|seconds?", re.IGNORECASE
)
"""What may be meant for a unit, known or not: `Budget.parse` refuses those it does not know."""


class AmountCommand(TyperCommand):
    """A command whose --budget may be two words, a number and its unit."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: as in `Program.invoke`
        """Join number and unit of an amount, then read the arguments."""
        return super().parse_args(ctx, joined(args))


def joined(args: list[str]) -> list[str]:
    """Return the words of a command line with each number and unit after --budget as one word.

    >>> joined(["--budget", "30", "core-min", "--json"])
    ['--budget', '30 core-min', '--json']
    >>> joined(["--budget=2", "core-h"]), joined(["--budget", "50", "methanol"])
    (['--budget=2 core-h'], ['--budget', '50', 'methanol'])
    """
    out: list[str] = []
    for word in args:
        before = out[-1] if out else ""
        amount = before.removeprefix(f"{OPTION}=")
        given = amount != before or out[-2:-1] == [OPTION]
        if given and NUMBER.fullmatch(amount) and UNIT.fullmatch(word):
            out[-1] = f"{before} {word}"
        else:
            out.append(word)
    return out


TIMES: Final = {"": 1.0, "fs": 1.0, "ps": 1e3, "ns": 1e6}
"""fs, by unit."""


def femtoseconds(text: str) -> float:
    """Return a time in fs, written with or without its unit.

    Raises a `UsageError` where it is none.

    >>> femtoseconds("0.5"), femtoseconds("10 ps"), femtoseconds("1ns")
    (0.5, 10000.0, 1000000.0)
    """
    found = re.fullmatch(rf"({NUMBER.pattern})\s*(|fs|ps|ns)", text.strip())
    if found is None:
        raise UsageError(f"a time is a number and fs, ps or ns, got {text!r}")
    return _number(found[1], text) * TIMES[found[2]]


def kelvin(text: str) -> float:
    """Return a temperature in K, written with or without its unit.

    Raises a `UsageError` where it is none.

    >>> kelvin("300"), kelvin("500K")
    (300.0, 500.0)
    """
    return _number(text.strip().removesuffix("K"), text)


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{whole!r} holds no number") from error
