"""`fidsel ui`: campaigns in MLflow's web page, error against spend first."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, Folder, document, note, result


def ui(
    folder: Folder = Path(),
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CAMPAIGN]... [SETTING]...",
            help="Campaign folders in place of -C, several to compare them; settings as of other commands.",
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Folder for the store of a comparison; a temporary one if not told."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; a free one if not told.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    as_json: AsJson = False,
) -> None:
    """Serve the MLflow page of campaigns on this machine (127.0.0.1) until Ctrl-C."""
    from fidsel.tasks.show import shown
    from fidsel.tracking import serve

    given = words or []
    settings = [word for word in given if "=" in word and not Path(word).exists()]
    campaigns = [Path(word) for word in given if word not in settings] or [folder]
    note("rounds are sent to MLflow, and its page starts ...")
    with shown(campaigns, settings, into) as found:

        def ready(server: str) -> None:
            url = f"{server}{found.page}"
            if as_json:
                document({"url": url, "experiment": found.experiment})
            else:
                result(f"{url}\n")
            sys.stdout.flush()
            if browser and _has_display():
                webbrowser.open(url)

        if found.store.server:
            ready(found.store.server)
        else:
            serve(found.store, port, ready)


def _has_display() -> bool:
    """Return whether a browser has a place to open; elsewhere one in the terminal would be found."""
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys())
