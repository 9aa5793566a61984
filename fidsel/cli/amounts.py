"""Amounts whose unit stands apart: `--budget 2 core-h` means `--budget 2core-h`."""

import re
from typing import Any, Final

from typer.core import TyperCommand

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
