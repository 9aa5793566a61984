"""What a check of a data set reports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from fidsel.arrays import BoolArray, IntArray

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing a rule found.

    Parameters
    ----------
    severity : "error": do not train on this; "warning": look at it; "note": worth knowing.
    rule : name of the rule.
    message : what was found and what to do about it.
    frames : rows concerned; empty = the whole set.
    """

    severity: Severity
    rule: str
    message: str
    frames: tuple[int, ...] = ()

    def within(self, rows: IntArray) -> Self:
        """Return the finding about frames[rows] as one about frames."""
        return replace(self, frames=tuple(rows[list(self.frames)].tolist()) if self.frames else ())


def few(rows: Sequence[int], shown: int = 5) -> str:
    """Return the first numbers of some rows and how many more there are.

    >>> few(range(8)), few([4])
    ('0, 1, 2, 3, 4 and 3 more', '4')
    """
    more = f" and {len(rows) - shown} more" if len(rows) > shown else ""
    return ", ".join(str(row) for row in rows[:shown]) + more


def about(severity: Severity, rule: str, bad: BoolArray, message: str) -> list[Finding]:
    """Return a finding about the frames marked in `bad`, none where none is; {n} is their number."""
    rows = tuple(np.flatnonzero(bad).tolist())
    return [Finding(severity, rule, message.format(n=f"{len(rows)} of {len(bad)}"), rows)] if rows else []
