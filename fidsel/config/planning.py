"""A plan for a campaign, or from bare prices."""

from collections.abc import Sequence
from pathlib import Path

from fidsel.campaign import plan_campaign, plan_from_prices
from fidsel.campaign.settings import Reporter
from fidsel.config.build import open_campaign
from fidsel.errors import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.plan import Plan


def make_plan(
    folder: Path,
    overrides: Sequence[str],
    budget: str | None,
    prices: Sequence[str] | None,
    validation: int,
    report: Reporter,
) -> tuple[Plan, Budget]:
    """Return a plan and the budget it is for.

    Parameters
    ----------
    folder, overrides : the campaign, whose pilot labels are bought; not looked at where prices are given.
    budget : what may be spent, e.g. "2core-h"; None = as fidsel.toml says.
    prices : "name=cost" per label, in base units of the budget; None = a campaign's.
    validation : accurate validation labels, where prices are given.
    report : hears how far the pilot has come.

    Raises
    ------
    UsageError
        where prices are given without a budget, or nothing can be planned.
    """
    if not prices:
        campaign = open_campaign(folder, overrides, budget)
        return plan_campaign(campaign, report), campaign.budget
    if budget is None:
        raise UsageError(
            "with --price say what may be spent: --budget 2core-h with prices in core-seconds, or --budget "
            "250 with prices relative to an accurate label"
        )
    if validation < 0:
        raise UsageError(f"the number of validation labels must be ≥ 0, got {validation}")
    total = Budget.parse(budget)
    return plan_from_prices(total, prices, validation), total
