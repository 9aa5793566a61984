"""`fidsel iterate`: buy, train, measure, pick again."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from fidsel.cli.options import BreakLock, Device, with_device
from fidsel.cli.output import AsJson, Folder, Overrides, document, measured, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.campaign import campaign_table, round_line
from fidsel.exceptions import WaitingError

if TYPE_CHECKING:
    from fidsel.campaign.edits import Pending
    from fidsel.campaign.records.summary import Summary


def iterate(
    folder: Folder = Path(),
    settings: Overrides = None,
    break_lock: BreakLock = False,
    device: Device = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Go on behind the terminal, also when that is closed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the campaign until its budget, rounds or target end it; run again to go on after a stop."""
    if detach:
        from fidsel.tasks.driver import LOG, start_driver

        taken = ["--break-lock"] if break_lock else []
        told = start_driver(folder, [*with_device(settings, device), *taken])
        if as_json:
            document({"folder": folder, "log": folder / LOG, "told": told})
        note(told)
        return
    from fidsel.campaign import iterate as rounds
    from fidsel.config.build import open_campaign

    changes = with_device(settings, device)
    waits = None
    with progress() as report:
        campaign = open_campaign(folder, changes, as_named=True)
        send(folder, changes)  # what an earlier run could not send, also of a finished campaign
        known = campaign.folder.finished()
        try:
            for record in rounds(campaign, report, break_lock):
                note(round_line(record, campaign.budget))
                send(folder, changes)
        except WaitingError as error:
            waits = error
    if campaign.folder.finished() == known:
        send(folder, changes)  # it may have ended for another reason, after an edit
    found = summary(folder, changes, as_json)
    usage_lines(found)
    if waits is not None:
        raise waits


def send(folder: Path, settings: Sequence[str]) -> None:
    """Send rounds to MLflow, by what the last of them ran with; where that fails, say so and go on."""
    from fidsel.config.build import open_tracker

    tracker = open_tracker(folder, settings)
    if trouble := tracker and tracker.sync():
        note(trouble)


def summary(
    folder: Path,
    settings: Sequence[str],
    as_json: bool,
    edits: "Pending | None" = None,
    foreseen: str | None = None,
) -> "Summary":
    """Print where a campaign stands, and return it; see `summarise`."""
    from fidsel.campaign.records.summary import summarise
    from fidsel.config.load import FILE, load_config
    from fidsel.config.recorded import recorded

    ran, config = recorded(folder), load_config(folder / FILE, settings)
    given = None if ran is None else ran.budget.parsed()
    found = summarise(folder, config.budget.parsed(), given, edits, foreseen)
    if as_json:
        document(measured(found.to_dict(), found.budget.unit))
    else:
        campaign_table(found)
    return found


def usage_lines(found: "Summary") -> None:
    """Say where the best model of a campaign is and how to use it."""
    if found.model is None:
        return
    from fidsel.campaign.records.best import python_lines

    note("use it in Python, for ASE Atoms in the order of the training frames (train.extxyz beside it):")
    for line in python_lines(found.model):
        note(f"    {line}")
    note(f"measure it on labels of your own: fidsel evaluate {quote(str(found.model))} FILE --out parity.png")
