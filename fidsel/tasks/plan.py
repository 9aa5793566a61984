"""A plan for a campaign, or from bare prices."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fidsel.campaign import plan_campaign
from fidsel.campaign.settings import Reporter, silent
from fidsel.config.build import open_campaign
from fidsel.config.load import listed
from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.plan import Plan
from fidsel.tasks.prices import plan_prices


def plan(
    folder: Path | str = ".",
    settings: Sequence[str] = (),
    *,
    budget: str | float | None = None,
    prices: Mapping[str, float] | Sequence[str] = (),
    validation: int | None = None,
    atoms: int | None = None,
    smiles: str | None = None,
    recipe: str | None = None,
    report: Reporter = silent,
    break_lock: bool = False,
) -> Plan:
    """Return how many labels to buy at which level, and what that should bring.

    Parameters
    ----------
    folder, settings : the campaign, whose pilot labels are bought; with prices no settings are taken.
    budget : what may be spent, e.g. "2core-h", or a number of labels; None = as fidsel.toml says.
    prices : cost per label of each level, or "name=cost", in base units of the budget; none = a campaign's.
    validation : accurate validation labels, where prices are given; None = 10.
    atoms, smiles : the molecule, where prices are given; None = one of 12 atoms.
    recipe : that will train, where prices are given; None = "cokriging".
    report : hears how far the pilot has come.
    break_lock : take the campaign from a process that seems to hold it.

    Raises
    ------
    UsageError
        where prices are given without a budget or with settings of a campaign, or nothing can be planned.

    Examples
    --------
    >>> plan(budget="250", prices={"ccsdt": 1.0, "dft": 0.025}, atoms=9).levels
    ('dft', 'ccsdt')
    """
    if prices:
        return plan_prices(
            budget,
            prices,
            validation=validation,
            atoms=atoms,
            smiles=smiles,
            recipe=recipe,
            settings=listed(settings),
        )
    _refuse_price_options(validation, atoms, smiles, recipe)
    return plan_campaign(open_campaign(Path(folder), settings, budget, as_named=True), report, break_lock)


def _refuse_price_options(
    validation: int | None, atoms: int | None, smiles: str | None, recipe: str | None
) -> None:
    """Raise a `UsageError` where a campaign's plan is given what its fidsel.toml says."""
    if validation is not None:
        raise UsageError(
            f"--validation goes with --price; for the campaign write campaign.validation={validation}"
        )
    if not (atoms is None and smiles is None and recipe is None):
        raise UsageError(
            "--atoms, --smiles and --recipe go with --price; a campaign's pool and recipe are those of its "
            "fidsel.toml"
        )
