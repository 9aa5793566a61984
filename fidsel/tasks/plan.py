"""A plan for a campaign, or from bare prices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fidsel.campaign import plan_campaign, plan_from_prices
from fidsel.campaign.settings import Reporter, silent
from fidsel.config.build import open_campaign
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.planner.plan import Plan

VALIDATION = 10
"""Accurate validation labels of a plan from prices."""


def plan(
    folder: Path | str = ".",
    settings: Sequence[str] = (),
    *,
    budget: str | None = None,
    prices: Mapping[str, float] | Sequence[str] = (),
    validation: int | None = None,
    report: Reporter = silent,
    break_lock: bool = False,
) -> Plan:
    """Return how many labels to buy at which level, and what that should bring.

    Parameters
    ----------
    folder, settings : the campaign, whose pilot labels are bought; with prices no settings are taken.
    budget : what may be spent, e.g. "2core-h"; None = as fidsel.toml says.
    prices : cost per label of each level, or "name=cost", in base units of the budget; none = a campaign's.
    validation : accurate validation labels, where prices are given; None = `VALIDATION`.
    report : hears how far the pilot has come.
    break_lock : take the campaign from a process that seems to hold it.

    Raises
    ------
    UsageError
        where prices are given without a budget or with settings of a campaign, or nothing can be planned.

    Examples
    --------
    >>> plan(budget="250", prices={"ccsdt": 1.0, "dft": 0.025}).recommended.bought
    (2112, 187)
    """
    if not prices:
        if validation is not None:
            raise UsageError(
                f"--validation goes with --price; for the campaign write campaign.validation={validation}"
            )
        return plan_campaign(open_campaign(Path(folder), settings, budget), report, break_lock)
    if budget is None:
        raise UsageError(
            "with --price say what may be spent: --budget 2core-h with prices in core-seconds, or --budget "
            "250 with prices relative to an accurate label"
        )
    if settings:
        raise UsageError(
            f"with --price no campaign is looked at, so nothing but options may be given, got "
            f"{' '.join(settings)!r}: leave it out, or write a unit with its number (--budget 2core-h)"
        )
    labels = VALIDATION if validation is None else validation
    if labels < 0:
        raise UsageError(f"the number of validation labels must be ≥ 0, got {labels}")
    total = Budget.parse(budget)
    if isinstance(prices, Mapping):
        prices = [f"{name}={cost}" for name, cost in prices.items()]
    return replace(plan_from_prices(total, prices, labels), shown=total.shown)
