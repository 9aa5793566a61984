"""`fidsel ui`: the rounds of a campaign in MLflow's web page."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, Folder, Overrides, document, note


def ui(
    folder: Folder = Path(),
    settings: Overrides = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
    as_json: AsJson = False,
) -> None:
    """Serve the campaign's MLflow page on this machine (127.0.0.1) until Ctrl-C."""
    from fidsel.config.build import open_tracker
    from fidsel.exceptions import FidselError
    from fidsel.tracking import serve

    tracker = open_tracker(folder, settings or ())
    if tracker is None:
        raise FidselError("tracking is switched off (tracking.enabled = false), so there is nothing to show")
    if trouble := tracker.sync():
        raise FidselError(trouble)
    note("the page of MLflow starts ...")

    def ready() -> None:
        url = f"http://127.0.0.1:{port}"
        if as_json:
            document({"url": url, "experiment": tracker.experiment})
            sys.stdout.flush()
        note(f"{url} shows {tracker.experiment!r}; Ctrl-C ends it")

    serve(tracker, port, ready)
