"""`fidsel ui`: the rounds of a campaign in MLflow's web page."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import Folder, note


def ui(
    folder: Folder = Path(),
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Serve the campaign's MLflow page on this machine (127.0.0.1) until Ctrl-C."""
    from fidsel.config.build import open_tracker
    from fidsel.tracking import serve

    tracker = open_tracker(folder, ())
    trouble = tracker.sync() if tracker else "tracking is switched off in fidsel.toml"
    if tracker is None or trouble:
        note(trouble or "")
        raise typer.Exit(1)
    note(f"http://127.0.0.1:{port} shows {tracker.experiment}; Ctrl-C ends it")
    raise typer.Exit(serve(tracker, port))
