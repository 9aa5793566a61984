"""From a pilot to a plan: what a label costs, how many to buy at each fidelity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fidsel.campaign.mixture import random_order
from fidsel.campaign.prepare import FEWEST, ensure_held_out, ensure_pool, ignored_settings, refuse_few
from fidsel.campaign.record import HeldOut
from fidsel.campaign.settings import Campaign, Reporter
from fidsel.campaign.workspace import Workspace, identify, open_workspace
from fidsel.data import Frames
from fidsel.data.atomic import write_text
from fidsel.errors import FidselError, UsageError
from fidsel.fidelity.budget import Budget
from fidsel.fidelity.law import DFT_PRIOR, FORCE_FIELD_PRIOR
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.lock import open_store
from fidsel.fidelity.openmm_source import OpenMMSource
from fidsel.fidelity.plan import Plan
from fidsel.fidelity.planner import PricedLevel, plan

START_SHARE = 0.4
"""Part of the planned accurate labels that round 0 draws at random."""


@dataclass(frozen=True)
class Prepared:
    """A campaign whose pool, held-out frames, pilot and plan are settled."""

    held: HeldOut
    order: tuple[str, ...]
    plan: Plan


def prepare(ws: Workspace) -> Prepared:
    """Return the pool's split and the plan, made on the first call: sample, hold out, pilot, plan.

    Raises
    ------
    UsageError
        where the budget is smaller than pilot, validation and the fewest labels to train on.
    FidselError
        where every pilot label of a fidelity failed.
    """
    ws.report("pool", 0, 1)
    ensure_pool(ws.campaign, ws.store)
    ws.report("pool", 1, 1)
    held = ensure_held_out(ws)
    order = random_order(ws, held, "random")
    refuse_few(len(ws.pool), len(order))
    if ws.store.record("plan") is None:
        _pilot(ws, order)
        ws.store.put_record("plan", {"text": _make_plan(ws, len(order)).to_json()})
    text = (ws.store.record("plan") or {})["text"]
    path = ws.campaign.folder.plan
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return Prepared(held, order, Plan.from_json(text))


def _pilot(ws: Workspace, order: tuple[str, ...]) -> None:
    """Label the first frames of the random order at every fidelity whose cost must be measured."""
    for fidelity in ws.campaign.fidelities:
        if fidelity.price.declared:
            continue
        bought = ws.buy(fidelity, order[: ws.campaign.rules.pilot], "pilot")
        if not bought.ids_done and not bought.ids_owned:
            reasons = sorted(set(ws.store.failures(fidelity).values()))
            why = reasons[0] if reasons else f"the budget of {ws.campaign.budget} does not pay for them"
            raise FidselError(f"no pilot label of {fidelity.name} could be had: {why}")


def _make_plan(ws: Workspace, available: int) -> Plan:
    """Return the plan for the whole budget, with what one accurate training frame really costs."""
    campaign, rules = ws.campaign, ws.campaign.rules
    prices = ws.prices()
    cheap_too = sum(prices[fidelity.name] for fidelity in campaign.cheap)
    accurate = prices[campaign.accurate.name]
    least = rules.validation * accurate + ws.wasted() + FEWEST * (accurate + cheap_too)
    if not campaign.budget.pays(least):
        raise UsageError(
            f"the budget must pay for {rules.validation} validation labels and at least {FEWEST} accurate "
            f"training labels, {campaign.budget.format(least)} in all, got {campaign.budget}: raise it, or "
            f"lower campaign.validation"
        )
    # an accurate training frame gets its cheap labels too
    levels = [priced(ws, fidelity, prices[fidelity.name], available) for fidelity in campaign.fidelities]
    levels[-1] = replace(levels[-1], cost=accurate + cheap_too, companion=cheap_too)
    return plan(
        campaign.budget.total,
        levels,
        spent=ws.wasted(),
        validation=rules.validation,
        minimum=FEWEST,
        workers=ws.engine.workers,
        unit=campaign.budget.unit,
        seed=campaign.seed_for("plan"),
    )


def priced(ws: Workspace, fidelity: Fidelity, price: float, available: int, owned: int = 0) -> PricedLevel:
    """Return a fidelity as the planner sees it; pilot labels are counted as still to be bought.

    Parameters
    ----------
    price : of one label, base units.
    available : frames it could label, those it has labelled included.
    owned : labels it has for training.
    """
    measured = ws.store.statistics(fidelity)
    prior = FORCE_FIELD_PRIOR if isinstance(fidelity.source, OpenMMSource) else DFT_PRIOR
    return PricedLevel(
        fidelity.name,
        price,
        owned=owned,
        available=max(available - owned, 0),
        seconds=measured.mean_seconds if measured.done else None,
        prior=prior.of_molecule(int(np.diff(ws.pool.offsets).max())),
    )


def start_size(ws: Workspace, planned: int) -> int:
    """Return how many accurate labels round 0 draws at random."""
    rules = ws.campaign.rules
    if rules.rounds == 0:
        return planned
    wanted = rules.start if rules.start is not None else round(START_SHARE * planned)
    piloted = 0 if ws.campaign.accurate.price.declared else rules.pilot
    return min(planned, max(FEWEST, piloted, wanted))


def sample_pool(campaign: Campaign) -> Frames:
    """Return the pool of a campaign, sampled and stored on the first call."""
    with open_store(campaign.folder.store) as (store, _):
        identify(campaign, store)
        return ensure_pool(campaign, store)


def ignored_pool_settings(campaign: Campaign) -> dict[str, tuple[Any, Any]]:  # Any: plain values
    """Return pool settings that have no effect because the pool is there: what they were, what they are."""
    with open_store(campaign.folder.store) as (store, _):
        return ignored_settings(campaign, store)


def plan_campaign(campaign: Campaign, report: Reporter) -> Plan:
    """Return the plan of a campaign: sample, hold out, label a pilot, recommend; kept in plan.json."""
    with open_workspace(campaign, report) as ws:
        return prepare(ws).plan


def plan_from_prices(budget: Budget, prices: Sequence[str], validation: int) -> Plan:
    """Return a plan from prices and published priors alone.

    Parameters
    ----------
    budget : what may be spent.
    prices : "name=cost" per label, base units of the budget; the dearest level is the accurate one.
    validation : accurate labels kept for validation.

    Raises
    ------
    UsageError
        where a price cannot be read or the budget is too small.
    """
    levels = []
    for text in prices:
        name, _, number = text.partition("=")
        try:
            levels.append(PricedLevel(name.strip(), float(number)))
        except ValueError as error:
            raise UsageError(f"a price is written NAME=COST with a positive cost, got {text!r}") from error
    levels.sort(key=lambda level: level.cost)
    return plan(budget.total, levels, validation=validation, minimum=FEWEST, unit=budget.unit)
