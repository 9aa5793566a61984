"""A plan from bare prices: what is assumed of the levels, the molecule and the recipe is said."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fidsel.exceptions import UsageError, unknown
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.planner.law import Interval, Normal, fit_law, interval
from fidsel.fidelity.planner.plan import Plan
from fidsel.fidelity.planner.priors import (
    DIFFERENCE,
    MEASURED,
    TYPICAL_ATOMS,
    Kind,
    Learner,
    kind_of,
    law_prior,
)
from fidsel.fidelity.planner.recommend import plan
from fidsel.fidelity.planner.split import PricedLevel

LARGEST_KERNEL = 10_000
"""Labels of a level that a kernel takes at most, by memory and time."""
MINIMUM = 3
"""Accurate training labels below which no residual can be fitted and validated."""

RECIPE: Final = "cokriging"
"""That is planned for where none is named."""
RECIPES: Final[dict[str, Learner]] = {
    "cokriging": "kernel",
    "delta": "kernel",
    "asteroid": "network",
    "joint": "network",
}
"""Recipes that mix levels, with what learns in them."""


def plan_from_prices(
    budget: Budget,
    prices: Sequence[str],
    validation: int,
    *,
    atoms: int | None = None,
    recipe: str = RECIPE,
) -> Plan:
    """Return a plan from prices and what was measured on other molecules alone.

    Parameters
    ----------
    budget : what may be spent.
    prices : "name=cost" per label, base units of the budget; the dearest level is the accurate one.
    validation : accurate labels kept for validation.
    atoms : of the molecule; None = `TYPICAL_ATOMS`.
    recipe : that will train; with "delta" the last cheap level is computed where the model predicts.

    Raises
    ------
    UsageError
        where a price cannot be read, the recipe mixes no levels or the budget is too small.

    Examples
    --------
    >>> made = plan_from_prices(Budget.parse("30"), ["ccsdt=1", "dft=0.05"], 5, atoms=4)
    >>> made.levels, made.recommended.cost <= 30
    (('dft', 'ccsdt'), True)
    """
    if recipe not in RECIPES:
        raise unknown("recipe that mixes levels", recipe, tuple(RECIPES))
    if atoms is not None and atoms < 2:
        raise UsageError(f"a molecule has at least 2 atoms, got {atoms}")
    levels = sorted(map(_priced, prices), key=lambda level: level.cost)
    if RECIPES[recipe] == "kernel":
        levels = [replace(level, largest=LARGEST_KERNEL) for level in levels]
    exact = _computed(levels) if recipe == "delta" else ()
    kinds = [level.kind for level in levels]
    prior = law_prior(kinds, atoms or TYPICAL_ATOMS, RECIPES[recipe], exact)
    made = plan(
        budget.total,
        levels,
        prior=prior,
        validation=validation,
        minimum=MINIMUM,
        unit=budget.unit,
        show=budget.format,
        absolute=atoms is not None,
    )
    told = _assumed(levels, atoms, recipe)
    if recipe == "cokriging":
        told = (*told, _baseline(kinds, atoms or TYPICAL_ATOMS, made))
    return replace(made, shown=budget.shown, assumed=told)


def baseline_gain(
    kinds: Sequence[Kind], atoms: int, n_hi: int, n_lo: Sequence[int], seed: int = 0
) -> Interval:
    """Return the error with a GFN2-xTB baseline over that without, for the same labels.

    Parameters
    ----------
    kinds : of the levels, cheapest first.
    atoms : of the molecule.
    n_hi, n_lo : labels of the accurate level and of each cheap one.
    seed : of the draws.
    """
    gain = DIFFERENCE["kernel"]["semi-empirical"]
    without = replace(law_prior(kinds, atoms), scale=Normal(0.0, 1e-9))
    beneath = replace(law_prior(kinds, atoms, baseline="semi-empirical"), scale=gain)
    errors = [fit_law([], prior, seed=seed).errors(n_hi, n_lo) for prior in (beneath, without)]
    return interval(errors[0] / errors[1])


def _baseline(kinds: Sequence[Kind], atoms: int, made: Plan) -> str:
    """Return what a baseline would change at the recommended split."""
    *n_lo, n_hi = made.recommended.labels
    gain = baseline_gain(kinds, atoms, max(n_hi, 1), n_lo, made.seed)
    return (
        "no baseline; with GFN2-xTB computed beneath the model (model.baseline) the same labels are expected "
        f"to leave {gain.median:.2f} × this error ({gain.low:.2f}–{gain.high:.2f}), at the price of a GFN2 "
        "calculation for every frame predicted"
    )


def _priced(text: str) -> PricedLevel:
    name, _, number = text.partition("=")
    try:
        return PricedLevel(name.strip(), float(number), kind=kind_of(name))
    except ValueError as error:
        raise UsageError(f"a price is written NAME=COST with a positive cost, got {text!r}") from error


def _computed(levels: list[PricedLevel]) -> tuple[int, ...]:
    """Make the last cheap level one of which accurate frames alone are labelled, and return its row."""
    if len(levels) < 2:
        raise UsageError("recipe 'delta' takes a cheap level beside the accurate one: give two prices")
    *others, cheap, accurate = levels
    companion = accurate.companion + cheap.cost
    levels[:] = [
        *(replace(level, available=0) for level in others),
        replace(cheap, available=0),
        replace(accurate, cost=accurate.cost + companion, companion=companion),
    ]
    return (len(others),)


def _assumed(levels: Sequence[PricedLevel], atoms: int | None, recipe: str) -> tuple[str, ...]:
    """Return what a plan takes for granted, a sentence each."""
    size = f"{TYPICAL_ATOMS} atoms (give --atoms or --smiles)" if atoms is None else f"{atoms} atoms"
    kinds = ", ".join(f"{level.name} is a {level.kind} method" for level in levels[:-1])
    found = [
        f"a molecule of {size}, at room temperature to 500 K",
        f"{levels[-1].name} is the accurate level",
    ]
    found[1] += f"; {kinds}" if kinds else ""
    found.append(f"recipe {recipe}, a {RECIPES[recipe]}; learning curves measured on {MEASURED}")
    return tuple(found)
