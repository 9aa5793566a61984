"""A plan from bare prices, without a campaign; nothing here loads a model."""

from collections.abc import Mapping, Sequence

from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.planner.plan import Plan
from fidsel.fidelity.planner.prices import RECIPE, plan_from_prices

VALIDATION = 10
"""Accurate validation labels of a plan from prices."""


def plan_prices(
    budget: str | float | None,
    prices: Mapping[str, float] | Sequence[str],
    *,
    validation: int | None = None,
    atoms: int | None = None,
    smiles: str | None = None,
    recipe: str | None = None,
    settings: Sequence[str] = (),
) -> Plan:
    """Return a plan from bare prices; for the arguments see `fidsel.tasks.plan.plan`.

    Raises a `UsageError` where there is no budget, settings of a campaign are given, or nothing can be
    planned.
    """
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
    if smiles is not None:
        if atoms is not None:
            raise UsageError("a molecule is given by its SMILES or by its number of atoms, not by both")
        atoms = len(from_smiles(smiles).numbers)
    if isinstance(prices, Mapping):
        prices = [f"{name}={cost}" for name, cost in prices.items()]
    return plan_from_prices(Budget.parse(budget), prices, labels, atoms=atoms, recipe=recipe or RECIPE)
