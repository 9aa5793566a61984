"""`fidsel stop`: end the process that drives a campaign."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, Folder, document, note


def stop(
    folder: Folder = Path(),
    wait: Annotated[float, typer.Option(help="Seconds to wait for its end.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Have the process that drives a campaign end as after Ctrl-C, on whatever machine it runs."""
    from fidsel.tasks.driver import stop_driver

    told = stop_driver(folder, wait)
    if as_json:
        document({"folder": folder, "told": told})
    note(told)
