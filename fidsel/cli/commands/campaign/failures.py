"""`fidsel retry`, `release` and `reject`: a person's word on labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import BreakLock
from fidsel.cli.output import AsJson, Folder, Overrides, document


def retry(
    folder: Folder = Path(),
    settings: Overrides = None,
    cause: Annotated[
        str | None, typer.Option(help="Only those that failed for this cause, as `status --failed` shows it.")
    ] = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Let labels that failed be tried once more by the next `fidsel iterate`, after their cause is mended."""
    from fidsel.campaign.failures import retry_failed
    from fidsel.config.build import open_campaign

    count = retry_failed(open_campaign(folder, settings or (), as_named=True), cause, break_lock)
    if as_json:
        document({"tried_again": count})
    else:
        typer.echo(f"{count} failed labels are tried again where `fidsel iterate` wants them")


def release(
    frames: Annotated[
        list[str] | None,
        typer.Argument(help="Frames, by the beginning of their ids, as `status --failed` shows them."),
    ] = None,
    folder: Folder = Path(),
    everything: Annotated[bool, typer.Option("--all", help="Release all labels that are set aside.")] = False,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Let labels that looked absurd, and were set aside, be trained on after all."""
    from fidsel.campaign.failures import release_labels
    from fidsel.config.build import open_campaign
    from fidsel.exceptions import UsageError

    if bool(frames) == everything:
        raise UsageError("name frames whose labels to release, or give --all, and not both")
    count = release_labels(open_campaign(folder, as_named=True), frames or None, break_lock)
    if as_json:
        document({"released": count})
    else:
        typer.echo(f"{count} labels that were set aside are trained on from the next round on")


def reject(
    frames: Annotated[list[str], typer.Argument(help="Frames, by the beginning of their ids.")],
    because: Annotated[str, typer.Option(help="Why; kept with the labels.")],
    folder: Folder = Path(),
    level: Annotated[
        str | None, typer.Option(help="Level of the labels, where the frames have labels of several.")
    ] = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Set labels aside that are known to be wrong: kept and paid, but not trained on; `release` undoes it."""
    from fidsel.campaign.failures import reject_labels
    from fidsel.config.build import open_campaign

    campaign = open_campaign(folder, as_named=True)
    count = reject_labels(campaign, frames, because, level=level, break_lock=break_lock)
    if as_json:
        document({"rejected": count})
    else:
        typer.echo(f"{count} labels are not trained on from the next round on; `fidsel release` undoes it")
