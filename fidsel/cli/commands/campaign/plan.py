"""`fidsel plan`: how many labels to buy at which fidelity, and what that should bring."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import BreakLock, grouped
from fidsel.cli.output import AsJson, Folder, Overrides, document, measured, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.plan import plan_tables

Budgeted = Annotated[str | None, typer.Option(help="What may be spent, e.g. 2core-h or 250 (labels).")]
Priced = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=COST of a label, once per level; the dearest level is the accurate one. With --budget "
        "2core-h costs are core-seconds: ccsdt=100 takes 100 core-seconds. With --budget 250 (labels) they "
        "are relative: ccsdt=1 and dft=0.025."
    ),
]


@dataclass(frozen=True)
class Assumed:
    """What is planned for where prices are given."""

    validation: Annotated[
        int | None,
        typer.Option(help="With --price: accurate validation labels, 10 if not told."),
    ] = None
    atoms: Annotated[
        int | None, typer.Option(help="With --price: atoms of the molecule, 12 if not told.")
    ] = None
    smiles: Annotated[str | None, typer.Option(help="With --price: the molecule, in place of --atoms.")] = (
        None
    )
    recipe: Annotated[
        str | None,
        typer.Option(help="With --price: cokriging (if not told), delta, asteroid or joint."),
    ] = None


@grouped
def plan(
    folder: Folder = Path(),
    settings: Overrides = None,
    budget: Budgeted = None,
    price: Priced = None,
    *,
    assumed: Assumed,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the error over the split into this file, e.g. plan.png.")
    ] = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Plan a campaign: label a few frames, learn what a label costs and brings, and recommend a split.

    With --price no campaign is needed: the answer comes from prices and from learning curves of other
    molecules, as in fidsel plan --budget 250 --price ccsdt=1 --price dft=0.025 --atoms 9
    """
    if picture is not None:
        from fidsel.report.pictures.splits import draw_splits, require_picture

        require_picture(picture)
    if price:  # nothing of a campaign, which takes seconds to load
        from fidsel.tasks.prices import plan_prices

        made = plan_prices(budget, price, settings=settings or (), **vars(assumed))
    else:
        from fidsel.tasks.plan import plan as plan_folder

        with progress() as report:
            made = plan_folder(
                folder,
                settings or (),
                budget=budget,
                report=report,
                break_lock=break_lock,
                **vars(assumed),
            )
    if picture is not None:
        draw_splits(made, picture)
        note(f"error over the split: {picture}")
    document(measured(json.loads(made.to_json()), made.budget.unit)) if as_json else plan_tables(made)
