"""`fidsel status`: where a campaign stands."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.commands.campaign.iterate import summary
from fidsel.cli.output import AsJson, Folder, Overrides, document
from fidsel.cli.tables.failures import failure_table


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
        summary(folder, settings or (), as_json)
        return
    from fidsel.campaign.failures import failures_of
    from fidsel.config.build import open_campaign

    campaign = open_campaign(folder, settings or (), as_named=True)
    found = failures_of(campaign)
    if as_json:
        document({"unit": campaign.budget.unit, "failed": [row.to_dict() for row in found]})
    else:
        failure_table(found, campaign.budget)
