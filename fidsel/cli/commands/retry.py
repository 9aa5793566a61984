"""`fidsel retry`: let labels that failed be tried again."""

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

    count = retry_failed(open_campaign(folder, settings or ()), cause, break_lock)
    if as_json:
        document({"tried_again": count})
    else:
        typer.echo(f"{count} failed labels are tried again where `fidsel iterate` wants them")
