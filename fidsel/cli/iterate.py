"""`fidsel iterate`: buy, train, measure, pick again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fidsel.cli.output import AsJson, Folder, Overrides, document, note, progress
from fidsel.cli.tables import campaign_table, round_line

if TYPE_CHECKING:
    from fidsel.tracking import Tracker


def iterate(
    folder: Folder = Path(),
    settings: Overrides = None,
    break_lock: Annotated[
        bool, typer.Option(help="Take the campaign from a process that died elsewhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the campaign until its budget, rounds or target end it; run again to go on after a stop."""
    from fidsel.campaign import iterate as rounds
    from fidsel.config.build import open_campaign, open_tracker

    with progress() as report:
        campaign, tracker = open_campaign(folder, settings or ()), open_tracker(folder, settings or ())
        send(tracker)  # what an earlier run could not send, also of a finished campaign
        for record in rounds(campaign, report, break_lock):
            note(round_line(record, campaign.budget))
            send(tracker)
    summary(folder, settings, as_json)


def send(tracker: "Tracker | None") -> None:
    """Send rounds to MLflow; where that fails, say so and go on."""
    if trouble := tracker and tracker.sync():
        note(trouble)


def summary(folder: Path, settings: list[str] | None, as_json: bool) -> None:
    """Print where a campaign stands."""
    from fidsel.campaign.summary import summarise
    from fidsel.config.load import FILE, load_config

    found = summarise(folder, load_config(folder / FILE, settings or ()).budget.parsed())
    if as_json:
        document(found.to_dict())
    else:
        campaign_table(found)
