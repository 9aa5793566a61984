"""`fidsel plan`: how many labels to buy at which fidelity, and what that should bring."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import BreakLock
from fidsel.cli.output import AsJson, Folder, Overrides, document
from fidsel.cli.plan_tables import plan_tables
from fidsel.cli.progress import progress

Budgeted = Annotated[str | None, typer.Option(help="What may be spent, e.g. 2core-h or 250 (labels).")]
Priced = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=COST of a label, once per level; the dearest level is the accurate one. With --budget "
        "2core-h costs are core-seconds: ccsdt=100 takes 100 core-seconds. With --budget 250 (labels) they "
        "are relative: ccsdt=1 and dft=0.025."
    ),
]


def plan(
    folder: Folder = Path(),
    settings: Overrides = None,
    budget: Budgeted = None,
    price: Priced = None,
    validation: Annotated[
        int | None,
        typer.Option(help="With --price: accurate validation labels, 10 if not told."),
    ] = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Plan a campaign: label a few frames at every fidelity to learn their cost, then recommend a split.

    With --price no campaign is needed: the answer comes from prices and published priors alone, as in
    fidsel plan --budget 250 --price ccsdt=1 --price dft=0.025
    """
    from fidsel.tasks import plan as task

    with progress() as report:
        made = task.plan(
            folder,
            settings or (),
            budget=budget,
            prices=price or (),
            validation=validation,
            report=report,
            break_lock=break_lock,
        )
    document(json.loads(made.to_json())) if as_json else plan_tables(made)
