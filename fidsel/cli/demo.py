"""`fidsel demo`: a real campaign on formaldehyde in a few minutes."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.iterate import iterate
from fidsel.cli.output import AsJson, note, progress
from fidsel.cli.tables import beside_note


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder of the demo.")] = Path("fidsel-demo"),
    as_json: AsJson = False,
) -> None:
    """Run a campaign on formaldehyde: MMFF94, DFT and CCSD(T) labels, computed here and now."""
    from fidsel.config.demo import create_demo
    from fidsel.config.planning import make_plan

    create_demo(folder)
    with progress() as report:
        made, budget = make_plan(folder, (), None, None, 0, report)
    beside_note(made, budget)
    iterate(folder, None, False, as_json)
    note(
        f"open {folder}: fidsel.toml, rounds/, labels.db; `fidsel ui -C {folder}` shows the rounds in MLflow"
    )
