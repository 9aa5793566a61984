"""The page on editing fidsel.toml while a campaign runs, written from the table that decides it."""

from typing import Final

from fidsel.campaign.edits import MILESTONES, RULES, Rule

HEAD: Final = """\
# Editing a campaign that has begun

`fidsel.toml` may be edited at any time; the next command looks at what has changed since the last one.
What cannot change is refused with the value that it had, and nothing is bought. What is taken is written
into the notes of the round it begins with (`fidsel status`, `round.json`, the report). `fidsel status` tells
beforehand which of the two it will be, and whether a campaign that had ended goes on, or ends for another
reason; the record of a round keeps the reason of its time. Of the rules below the first that fits a setting
holds; settings and tables that are added or removed go by the same rules.
`fidelity` is the list of levels that are bought, `fidelity.*` each of them, and `fidelity.*.labels` all
settings of a level that change its numbers.

| setting | edit | because |
|---|---|---|
"""

TAIL: Final = """
**Until round 0 is drawn** levels, prices, validation and budget may change: `fidsel plan` then draws held-out
frames and plan anew. Labels bought for a level that was given up stay bought and count as spent.

**Settings on the command line** (`fidsel iterate budget.total=3`, `fidsel plan --budget 3core-h`) are edits
like those of the file.

**Without an edit** a level is another one where the content of a file it reads has changed, such as a table.

This page is written by `fidsel config schema --editing`; do not edit it.
"""


def editing_page() -> str:
    """Return docs/editing.md."""
    rows = "".join(f"| `{rule.pattern}` | {_effect(rule)} | {rule.why} |\n" for rule in RULES)
    return HEAD + rows + TAIL


def _effect(rule: Rule) -> str:
    if rule.effect == "refused":
        return f"refused {MILESTONES[rule.since]}"
    return "taken from the next round on" if rule.effect == "next round" else "harmless"
