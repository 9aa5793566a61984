"""`fidsel demo`: a real campaign on methanol in a few minutes."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from fidsel.cli.commands.campaign.iterate import iterate
from fidsel.cli.options import Also, BreakLock, one_folder
from fidsel.cli.output import AsJson, Overrides, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.plan import beside_note


def demo(
    folder: Annotated[Path | None, typer.Argument(help="Folder of the demo, by default fidsel-demo.")] = None,
    settings: Overrides = None,
    also: Also = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Run a campaign on methanol: MP2 and CCSD(T) labels above GFN2-xTB, computed here and now."""
    from fidsel.tasks.plan import plan
    from fidsel.tasks.start.demo import create_demo

    home = one_folder(folder, also, Path("fidsel-demo"))
    create_demo(home)
    with progress() as report:
        made = plan(home, settings or (), report=report, break_lock=break_lock)
    beside_note(made)
    iterate(home, settings, break_lock, None, as_json)
    note(
        f"open {home}: fidsel.toml, rounds/, labels.db; `fidsel ui -C {quote(str(home))}` shows the rounds "
        "in MLflow"
    )
