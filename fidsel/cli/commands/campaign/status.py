"""`fidsel status`: where a campaign stands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fidsel.cli.commands.campaign.iterate import summary
from fidsel.cli.output import AsJson, Folder, Overrides, document
from fidsel.cli.tables.failures import failure_table

if TYPE_CHECKING:
    from fidsel.campaign.edits import Pending


def status(
    folder: Folder = Path(),
    settings: Overrides = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="List frames without a label to use, why, and what they cost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show rounds, errors, labels and money of a campaign, also while another process drives it."""
    if not failed:
        summary(folder, settings or (), as_json, *_outlook(folder, settings or ()))
        return
    from fidsel.campaign.failures import failures_of
    from fidsel.config.build import open_campaign

    campaign = open_campaign(folder, settings or (), as_named=True)
    found = failures_of(campaign)
    if as_json:
        document({"unit": campaign.budget.unit, "failed": [row.to_dict() for row in found]})
    else:
        failure_table(found, campaign.budget)


def _outlook(folder: Path, settings: Sequence[str]) -> "tuple[Pending, str | None]":
    """Return what the next `fidsel iterate` makes of the settings and why it ends at once, None = not known.

    Also where it cannot open them.
    """
    from fidsel.campaign.edits import Pending, pending
    from fidsel.campaign.ending import foreseen
    from fidsel.config.build import open_campaign
    from fidsel.exceptions import FidselError

    try:
        campaign = open_campaign(folder, settings, as_named=True)
        edits = pending(campaign)
        return edits, None if edits.refused else foreseen(campaign)
    except FidselError as error:  # what is bought and measured is shown all the same
        return Pending(str(error)), None
