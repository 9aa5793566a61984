"""A plan for a campaign, or from bare prices."""

from collections.abc import Sequence
from pathlib import Path

from fidsel.campaign import plan_campaign, plan_from_prices
from fidsel.campaign.settings import Reporter
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.planner.plan import Plan

VALIDATION = 10
"""Accurate validation labels of a plan from prices."""


def make_plan(
    folder: Path,
    overrides: Sequence[str],
    budget: str | None,
    prices: Sequence[str] | None,
    validation: int | None,
    report: Reporter,
    break_lock: bool = False,
) -> tuple[Plan, Budget]:
    """Return a plan and the budget it is for.

    Parameters
    ----------
    folder, overrides : the campaign, whose pilot labels are bought; with prices no overrides are taken.
    budget : what may be spent, e.g. "2core-h"; None = as fidsel.toml says.
    prices : "name=cost" per label, in base units of the budget; None = a campaign's.
    validation : accurate validation labels, where prices are given; None = `VALIDATION`.
    report : hears how far the pilot has come.
    break_lock : take the campaign from a process that seems to hold it.

    Raises
    ------
    UsageError
        where prices are given without a budget or with settings of a campaign, or nothing can be planned.
    """
    if not prices:
        if validation is not None:
            raise UsageError(
                f"--validation goes with --price; for the campaign write campaign.validation={validation}"
            )
        campaign = open_campaign(folder, overrides, budget)
        return plan_campaign(campaign, report, break_lock), campaign.budget
    if budget is None:
        raise UsageError(
            "with --price say what may be spent: --budget 2core-h with prices in core-seconds, or --budget "
            "250 with prices relative to an accurate label"
        )
    if overrides:
        raise UsageError(
            f"with --price no campaign is looked at, so nothing but options may be given, got "
            f"{' '.join(overrides)!r}: leave it out, or write a unit with its number (--budget 2core-h)"
        )
    labels = VALIDATION if validation is None else validation
    if labels < 0:
        raise UsageError(f"the number of validation labels must be ≥ 0, got {labels}")
    total = Budget.parse(budget)
    return plan_from_prices(total, prices, labels), total
