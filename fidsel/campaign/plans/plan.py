"""From a pilot to a plan: what a label costs, how many to buy at each fidelity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import floor, isclose
from typing import Any

import numpy as np

from fidsel.arrays import BoolArray
from fidsel.campaign.edits import enforce
from fidsel.campaign.plans.coverage import gaps, trainable
from fidsel.campaign.plans.curves import Measured, campaign_law, level_kind, pilot_labels
from fidsel.campaign.plans.minimum_budget import FEWEST, MinimumBudget
from fidsel.campaign.plans.pilot import buy_pilot
from fidsel.campaign.plans.prepare import bounded_test, ensure_held_out, ensure_pool, refuse_few
from fidsel.campaign.records.decisions import PlanRecord, Sampled, Stage
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.rounds.baseline import chosen_baseline, label_baseline
from fidsel.campaign.rounds.purchases import buy_held_out
from fidsel.campaign.rounds.training_set import random_order
from fidsel.campaign.settings import Campaign, Reporter
from fidsel.campaign.workspace import Workspace, open_journal, open_workspace
from fidsel.data import Frames
from fidsel.data.atomic import write_text
from fidsel.fidelity.planner.plan import Plan, UnbudgetedLabels
from fidsel.fidelity.planner.recommend import PricedLevel, Start, plan

START_SHARE = 0.4
"""Part of the planned accurate labels that round 0 draws at random."""


@dataclass(frozen=True)
class Prepared:
    """A campaign whose pool, held-out frames, pilot and plan are settled.

    Parameters
    ----------
    orders : candidates of each level in the random order that labels are bought in; those that every level
        can label come first, so that the first accurate frames are the first cheap ones too.
    """

    held: HeldOut
    orders: Mapping[str, tuple[str, ...]]
    plan: Plan

    def at_random(self, start: int) -> int:
        """Return how many of each order are drawn at random at cheap levels, for the pilot or the start.

        Parameters
        ----------
        start : accurate labels of the start, which have cheap ones, too.
        """
        return max(start, *self.plan.pilot[:-1], 0)


def prepare(ws: Workspace) -> Prepared:
    """Return the pool's split and the plan, made on the first call: sample, hold out, pilot, plan.

    Before round 0 is drawn the plan follows edits of budget, levels, prices and validation. Raises a
    `UsageError` where the budget is smaller than pilot, validation and the fewest labels to train on (this is
    seen after one label per level), and a `FidselError` where every pilot label of a fidelity failed.
    """
    campaign, journal = ws.campaign, ws.journal
    if journal.read(Sampled) is None:
        ws.begin("pool")
    ws.report("pool", 0, 1)
    ensure_pool(campaign, journal)
    ws.report("pool", 1, 1)
    label_baseline(ws)
    held = ensure_held_out(campaign, journal, ws.pool, ws.cover)
    refuse_few(campaign, ws.cover, [row for row, frame in enumerate(ws.pool.ids) if frame in held.all])
    orders = start_orders(ws, journal.require(Sampled).frames, held)
    record, inputs = journal.read(PlanRecord), plan_inputs(campaign, ws.cover)
    if record is None or (not journal.begun and record.inputs != inputs):
        buy_pilot(ws, orders[campaign.accurate.name])
        held = bounded_test(campaign, journal, ws.price(campaign.accurate))
        pilot = pilot_labels(campaign, ws.prices())
        for fidelity in campaign.fidelities:
            if count := pilot[fidelity.name]:
                ws.buy(fidelity, orders[fidelity.name][:count], "pilot", wait=False)
        if campaign.accurate.outside:  # asked for with the pilot labels, so that people work once
            buy_held_out(ws, held)
        ws.wait_for_others()
        record = PlanRecord(_make_plan(ws, held, orders, pilot).to_json(), inputs)
        journal.write(record)
    path = campaign.folder.plan
    if not path.exists() or path.read_text(encoding="utf-8") != record.text:
        write_text(path, record.text)
    return Prepared(held, orders, Plan.from_json(record.text))


def plan_inputs(campaign: Campaign, cover: Mapping[str, BoolArray]) -> dict[str, Any]:  # Any: plain values
    """Return the settings that a plan follows."""
    levels = [[level.name, level.key, level.price.value, level.price.per] for level in campaign.fidelities]
    money = [campaign.budget.total, campaign.budget.unit]
    held = [campaign.rules.test, campaign.rules.validation]
    able = blake2b(np.stack(list(cover.values())).tobytes(), digest_size=8).hexdigest()
    return {
        "budget": money, "levels": levels, "held-out": held, "cheap": campaign.cheap_use, "able": able,
    }  # fmt: skip


def start_orders(ws: Workspace, sampled: int, held: HeldOut) -> dict[str, tuple[str, ...]]:
    """Return the candidates of each level in the random order that labels are bought in, see `Prepared`."""
    campaign, cover = ws.campaign, ws.cover

    def order(able: BoolArray) -> tuple[str, ...]:
        return random_order(ws.pool, sampled, held, able, campaign.rng("random"), ws.turns)

    both = order(trainable(campaign, cover))
    first = set(both)
    orders = {campaign.accurate.name: both}
    for fidelity in campaign.cheap:
        able = order(cover[fidelity.name])
        orders[fidelity.name] = (*both, *(frame for frame in able if frame not in first))
    return orders


def _make_plan(
    ws: Workspace, held: HeldOut, orders: Mapping[str, tuple[str, ...]], pilot: Mapping[str, int]
) -> Plan:
    """Return the plan for the whole budget, with what one accurate training frame really costs."""
    campaign, rules, prices = ws.campaign, ws.campaign.rules, ws.prices()
    MinimumBudget.of(campaign, prices, ws.wasted()).require(campaign.budget)
    measured = measured_law(ws, {name: order[: pilot[name]] for name, order in orders.items()}, 0)
    made = plan(
        campaign.budget.total,
        priced_levels(ws, orders),
        points=measured.points,
        law=measured.law,
        spent=ws.wasted(),
        validation=rules.validation,
        minimum=max(FEWEST, len(campaign.molecules)),
        workers=ws.engine.workers,
        unit=campaign.budget.unit,
        show=campaign.budget.format,
        seed=campaign.seed_for("plan"),
        start=_start_rule(campaign, pilot[campaign.accurate.name]),
    )
    warnings = (*unbought(campaign), *gaps(campaign, ws.cover), *made.warnings)
    return replace(
        made,
        warnings=warnings,
        beside=_unbudgeted(ws, held, made),
        shown=campaign.budget.shown,
        pilot=tuple(pilot[fidelity.name] for fidelity in campaign.fidelities),
    )


def unbought(campaign: Campaign) -> tuple[str, ...]:
    """Return a sentence on levels, or labels of them, that the campaign has no use for."""
    what = {
        "none": "trains on accurate labels alone",
        "frames": "trains on configurations without labels",
        "pairs": "uses one cheap level, the last",
        "labels": "",
    }[campaign.cheap_use]
    if not campaign.idle:
        return ()
    names, kind = ", ".join(campaign.idle), campaign.config.get("recipe", {}).get("kind", "")
    return (
        f"no labels of {names} are bought: recipe {kind!r} {what}; another recipe uses them, or leave "
        f"{'it' if len(campaign.idle) == 1 else 'them'} out",
    )


def _unbudgeted(ws: Workspace, held: HeldOut, made: Plan) -> tuple[UnbudgetedLabels, ...]:
    """Return what is bought beside the budget."""
    price = made.prices[-1] - made.companion
    seconds = ws.seconds(ws.campaign.accurate)
    each = None if seconds is None else seconds / ws.engine.workers

    def row(what: str, labels: int) -> UnbudgetedLabels:
        return UnbudgetedLabels(what, labels, labels * price, None if each is None else labels * each)

    found = [row("test labels", len(held.test))]
    if ws.campaign.rules.control == "bought" and price > 0:
        spare = ws.campaign.budget.total - made.validation * price
        most = min(floor(spare / price + 1e-9), len(ws.pool) - len(held.all))
        found.append(row("labels of the control arm at most", max(most, 0)))
    return tuple(one for one in found if one.labels)


def measured_law(ws: Workspace, random: Mapping[str, Sequence[str]], index: int) -> Measured:
    """Return what labels tell of the learning law, and charge the time that takes beside the budget.

    Parameters
    ----------
    random : frames of each level that were drawn at random, in order of buying.
    """
    campaign = ws.campaign
    levels = [ws.labelled(fidelity, random[fidelity.name]) for fidelity in campaign.fidelities]
    ws.begin("measuring learning curves")
    atoms = int(ws.pool.sizes.max())
    seed = campaign.seed_for("curves", index)
    measured = campaign_law(campaign, levels, atoms, seed, chosen_baseline(ws), ws.trainer)
    if measured.points:
        ws.charge_training(measured.seconds, f"learning curves before round {index}")
    return measured


def priced_levels(
    ws: Workspace, orders: Mapping[str, Sequence[str]], owned: Mapping[str, int] | None = None
) -> list[PricedLevel]:
    """Return the levels of a campaign as the planner sees them; pilot labels are still to be bought.

    Parameters
    ----------
    orders : frames that each level could label.
    owned : labels that each level has for training; None = none.
    """
    campaign, prices, known = ws.campaign, ws.prices(), owned or {}
    levels = []
    for fidelity in campaign.fidelities:
        name = fidelity.name
        alone = campaign.cheap_use == "labels" or fidelity is campaign.accurate
        available, has = len(orders[name]) if alone else 0, known.get(name, 0)
        levels.append(
            PricedLevel(
                name,
                prices[name],
                owned=has,
                available=max(available - has, 0),
                seconds=ws.seconds(fidelity),
                kind=level_kind(fidelity),
            )
        )
    # an accurate training frame gets its cheap labels too
    companion = sum(prices[fidelity.name] for fidelity in campaign.cheap)
    levels[-1] = replace(levels[-1], cost=levels[-1].cost + companion, companion=companion)
    return levels


def start_size(ws: Workspace, made: Plan) -> int:
    """Return how many accurate labels round 0 draws at random."""
    planned = np.array([made.recommended.bought[-1]])
    return int(_start_rule(ws.campaign, made.labelled[-1]).of(planned)[0])


def _start_rule(campaign: Campaign, piloted: int) -> Start:
    """Return which accurate labels round 0 draws at random, along with the cheap ones.

    Parameters
    ----------
    piloted : accurate labels of the pilot, the first of them.
    """
    rules = campaign.rules
    if rules.rounds == 0:
        return Start()
    priced = 0 if campaign.accurate.price.declared else rules.pilot
    least = max(FEWEST, priced, len(campaign.molecules), piloted, rules.start or 0)
    return Start(START_SHARE if rules.start is None else 0.0, least)


def sample_pool(campaign: Campaign, break_lock: bool = False) -> Frames:
    """Return the pool of a campaign, sampled and stored on the first call.

    Raises
    ------
    UsageError
        where it was sampled with other settings than those of now.
    """
    with open_journal(campaign, break_lock) as journal:
        enforce(campaign, journal)
        if journal.read(Sampled) is None:
            journal.write(Stage("pool"))
        return ensure_pool(campaign, journal)


def plan_campaign(campaign: Campaign, report: Reporter, break_lock: bool = False) -> Plan:
    """Return the plan of a campaign: sample, hold out, label a pilot, recommend; kept in plan.json.

    Once round 0 is drawn it is the plan that was drawn by, whatever the budget is now; a warning says so.
    """
    with open_workspace(campaign, report, break_lock) as ws:
        made = prepare(ws).plan
        told = (_settled(campaign, made),) if ws.journal.begun else ()
    return replace(made, warnings=(*told, *made.warnings))


def _settled(campaign: Campaign, made: Plan) -> str:
    """Return a sentence on a plan that round 0 was drawn by, and what another budget does now."""
    now, planned = campaign.budget, made.budget
    told = f"round 0 is drawn: this is the plan for {planned} that it was drawn by, and none is made anew"
    if isclose(now.total, planned.total, rel_tol=1e-9):
        return f"{told}; to spend more raise budget.total in fidsel.toml, then `fidsel iterate`"
    return (
        f"{told} for {now}. A larger budget goes to rounds to come, which pick by what the earlier ones "
        "measured: set budget.total in fidsel.toml, and campaign.rounds where all rounds are done, then "
        "`fidsel iterate`"
    )
