"""What `status --failed` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fidsel.cli.output import note, table

if TYPE_CHECKING:
    from fidsel.campaign.failures import LevelFailure
    from fidsel.fidelity.budget import Budget

SHORT = 12
"""Characters of a frame's id that tell it from others."""


def failure_table(found: "Sequence[LevelFailure]", budget: "Budget") -> None:
    """Print frames without a label to use, level by level, and what can be done about them."""
    if not found:
        note("every label that was asked for is there and is used")
        return
    size, unit = budget.scale
    rows = [
        (
            row.level,
            row.failure.frame_id[:SHORT],
            row.failure.cause,
            "again" if row.failure.again else "",
            row.failure.error,
            row.row,
            row.failure.tries or None,
            row.failure.cost / size,
        )
        for row in found
    ]
    columns = ("level", "frame", "cause", "tried", "why", "row of the pool", "failed", f"cost {unit}")
    table("frames without a label to use", columns, rows, text=5)
    note(
        "`fidsel retry` (--cause NAME) has failed labels tried again, `fidsel release FRAME` trains on "
        "labels that were set aside (quarantined)"
    )
