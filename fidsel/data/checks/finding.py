"""What a check of a data set reports."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from fidsel.arrays import BoolArray, IntArray
from fidsel.data.frames import Frames

Severity = Literal["error", "warning", "note"]
SCALE = ("energy-force", "energy-scale", "bond-scale", "force-scale")
"""Rules that all see a wrong unit or sign, each by another yardstick."""


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


def few(things: Sequence[object], shown: int = 5, between: str = ", ") -> str:
    """Return the first of some things and how many more there are.

    >>> few(range(8)), few(["a"])
    ('0, 1, 2, 3, 4 and 3 more', 'a')
    """
    more = f" and {len(things) - shown} more" if len(things) > shown else ""
    return between.join(map(str, things[:shown])) + more


def by_level(frames: Frames) -> Iterator[tuple[str, IntArray, str]]:
    """Yield each level, the rows of its frames, and what messages call it: " of level 'pbe'", or nothing."""
    for level in sorted(set(frames.level.tolist())):
        yield level, np.flatnonzero(frames.level == level), f" of level {level!r}" if level else ""


def about(severity: Severity, rule: str, bad: BoolArray, message: str) -> list[Finding]:
    """Return a finding about the frames marked in `bad`, none where none is; {n} is their number."""
    rows = tuple(np.flatnonzero(bad).tolist())
    return [Finding(severity, rule, message.format(n=f"{len(rows)} of {len(bad)}"), rows)] if rows else []


def one_cause(findings: Iterable[Finding]) -> str:
    """Return a sentence where several findings have one cause, "" where none have.

    Examples
    --------
    >>> sign = "forces have the wrong sign (gradients?), negate them"
    >>> one_cause([Finding("error", "energy-force", sign), Finding("error", "bond-scale", sign)])
    'energy-force and bond-scale see one mistake: forces have the wrong sign. Mend it and check again'
    """
    told = [found for found in findings if found.rule in SCALE and found.severity != "note"]
    rules = list(dict.fromkeys(found.rule for found in told))
    if len(rules) < 2:
        return ""
    names = f"{', '.join(rules[:-1])} and {rules[-1]}"
    if all("wrong sign" in found.message for found in told):
        return f"{names} see one mistake: forces have the wrong sign. Mend it and check again"
    return f"{names} are likely to see one mistake, in the units of the file. Mend it and check again"
