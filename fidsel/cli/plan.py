"""`fidsel plan`: how many labels to buy at which fidelity, and what that should bring."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, Folder, Overrides, document, note, progress
from fidsel.cli.tables import plan_tables
from fidsel.errors import UsageError

Budgeted = Annotated[str | None, typer.Option(help="What may be spent, e.g. 2core-h or 250.")]
Priced = Annotated[list[str] | None, typer.Option(help="NAME=COST of a label, in the budget's base unit.")]


def plan(
    folder: Folder = Path(),
    settings: Overrides = None,
    budget: Budgeted = None,
    price: Priced = None,
    validation: Annotated[int, typer.Option(help="With --price: accurate validation labels.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Plan a campaign: label a few frames at every fidelity to learn their cost, then recommend a split.

    With --price no campaign is needed: the answer comes from prices and published priors alone.
    """
    from fidsel.campaign import plan_campaign, plan_from_prices
    from fidsel.config.build import open_campaign
    from fidsel.fidelity.budget import Budget

    if price:
        if budget is None:
            raise UsageError("with --price say what may be spent: --budget 250, in the unit of the prices")
        unit = Budget.parse(budget)
        made = plan_from_prices(unit, price, validation)
    else:
        campaign = open_campaign(folder, settings or (), budget)
        unit = campaign.budget
        with progress() as report:
            made = plan_campaign(campaign, report)
        note(f"wrote {campaign.folder.plan}")
    if as_json:
        document(json.loads(made.to_json()))
    else:
        plan_tables(made, unit)
