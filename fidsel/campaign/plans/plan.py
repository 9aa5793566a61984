"""From a pilot to a plan: what a label costs, how many to buy at each fidelity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import floor
from typing import Any

import numpy as np

from fidsel.campaign.edits import enforce
from fidsel.campaign.plans.coverage import gaps, trainable
from fidsel.campaign.plans.curves import Measured, campaign_law, level_kind, pilot_labels
from fidsel.campaign.plans.least import FEWEST, Least
from fidsel.campaign.plans.prepare import bounded_test, ensure_held_out, ensure_pool, refuse_few
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.rounds.training_set import random_order
from fidsel.campaign.settings import Campaign, Reporter
from fidsel.campaign.stage import begin_stage
from fidsel.campaign.workspace import Workspace, identify, open_workspace
from fidsel.data import Frames
from fidsel.data.atomic import write_text
from fidsel.exceptions import FidselError
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.planner.plan import Beside, Plan
from fidsel.fidelity.planner.recommend import PricedLevel, plan
from fidsel.fidelity.store.failures import failed_frames
from fidsel.fidelity.store.lock import open_store

START_SHARE = 0.4
"""Part of the planned accurate labels that round 0 draws at random."""


@dataclass(frozen=True)
class Prepared:
    """A campaign whose pool, held-out frames, pilot and plan are settled.

    Parameters
    ----------
    held : what is never trained on.
    orders : candidates of each level in the random order that labels are bought in; those that every level
        can label come first, so that the first accurate frames are the first cheap ones too.
    plan : what to buy.
    """

    held: HeldOut
    orders: Mapping[str, tuple[str, ...]]
    plan: Plan


def prepare(ws: Workspace) -> Prepared:
    """Return the pool's split and the plan, made on the first call: sample, hold out, pilot, plan.

    Before round 0 is drawn the plan follows edits of budget, levels, prices and validation.

    Raises
    ------
    UsageError
        where the budget is smaller than pilot, validation and the fewest labels to train on; this is seen
        after one label per level.
    FidselError
        where every pilot label of a fidelity failed.
    """
    if ws.store.record("pool") is None:
        ws.begin("pool")
    ws.report("pool", 0, 1)
    ensure_pool(ws.campaign, ws.store)
    ws.report("pool", 1, 1)
    held = ensure_held_out(ws)
    refuse_few(ws.campaign, ws.cover, [row for row, frame in enumerate(ws.pool.ids) if frame in held.all])
    orders = _orders(ws, held)
    record, begun = ws.store.record("plan") or {}, ws.store.record("round-0") is not None
    inputs = _inputs(ws)
    if not record or (not begun and record.get("inputs", inputs) != inputs):
        _pilot(ws, orders[ws.campaign.accurate.name])
        held = bounded_test(ws, held)
        pilot = pilot_labels(ws.campaign, ws.prices())
        for fidelity in ws.campaign.fidelities:
            if count := pilot[fidelity.name]:
                ws.buy(fidelity, orders[fidelity.name][:count], "pilot")
        record = {"text": _make_plan(ws, held, orders, pilot).to_json(), "inputs": inputs}
        ws.store.put_record("plan", record)
    text = record["text"]
    path = ws.campaign.folder.plan
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return Prepared(held, orders, Plan.from_json(text))


def _inputs(ws: Workspace) -> dict[str, Any]:  # Any: plain values
    """Return the settings that a plan follows."""
    campaign = ws.campaign
    levels = [[level.name, level.key, level.price.value, level.price.per] for level in campaign.fidelities]
    money = [campaign.budget.total, campaign.budget.unit]
    held = [campaign.rules.test, campaign.rules.validation]
    able = blake2b(np.stack(list(ws.cover.values())).tobytes(), digest_size=8).hexdigest()
    return {
        "budget": money, "levels": levels, "held-out": held, "cheap": campaign.cheap_use, "able": able,
    }  # fmt: skip


def _orders(ws: Workspace, held: HeldOut) -> dict[str, tuple[str, ...]]:
    both = random_order(ws, held, "random", trainable(ws.campaign, ws.cover))
    first = set(both)
    orders = {ws.campaign.accurate.name: both}
    for fidelity in ws.campaign.cheap:
        able = random_order(ws, held, "random", ws.cover[fidelity.name])
        orders[fidelity.name] = (*both, *(frame for frame in able if frame not in first))
    return orders


def _pilot(ws: Workspace, order: tuple[str, ...]) -> None:
    """Label the first frames of the random order at every fidelity whose cost must be measured.

    One label of each comes first: where the budget can never pay for the campaign, no more are bought.
    """
    measured = [fidelity for fidelity in ws.campaign.fidelities if not fidelity.price.declared]
    for fidelity in measured:
        ws.buy(fidelity, order[:1], "pilot")
    if all(len(ws.store.measured(fidelity)[1]) for fidelity in measured):
        Least.of(ws.campaign, ws.prices(), ws.wasted()).require(ws.campaign.budget)
    for fidelity in measured:
        bought = ws.buy(fidelity, order[: ws.campaign.rules.pilot], "pilot")
        if not bought.ids_done and not bought.ids_owned:
            raise _no_pilot(ws, fidelity)


def _no_pilot(ws: Workspace, fidelity: Fidelity) -> FidselError:
    """Return why a level gave no pilot label; its frames are tried again, as nothing can go on without."""
    ws.ledger.try_again([one.attempt for one in failed_frames(ws.store, fidelity)], asked=True)
    start = f"no pilot label of {fidelity.name} could be had"
    reasons = sorted(set(ws.store.failures(fidelity).values()))
    if not reasons:
        return FidselError(f"{start}: the budget of {ws.campaign.budget} does not pay for them; raise it")
    return FidselError(
        f"{start}: {reasons[0].rstrip('. ')}. Mend the cause (`fidsel doctor` labels one frame with each "
        "level) and give the same command again: these frames are tried once more"
    )


def _make_plan(
    ws: Workspace, held: HeldOut, orders: Mapping[str, tuple[str, ...]], pilot: Mapping[str, int]
) -> Plan:
    """Return the plan for the whole budget, with what one accurate training frame really costs."""
    campaign, rules, prices = ws.campaign, ws.campaign.rules, ws.prices()
    Least.of(campaign, prices, ws.wasted()).require(campaign.budget)
    measured = measured_law(ws, {name: order[: pilot[name]] for name, order in orders.items()}, 0)
    made = plan(
        campaign.budget.total,
        priced_levels(ws, orders),
        points=measured.points,
        law=measured.law,
        spent=ws.wasted(),
        validation=rules.validation,
        minimum=FEWEST,
        workers=ws.engine.workers,
        unit=campaign.budget.unit,
        show=campaign.budget.format,
        seed=campaign.seed_for("plan"),
    )
    warnings = (*unbought(campaign), *gaps(campaign, ws.cover), *made.warnings)
    return replace(
        made,
        warnings=warnings,
        beside=_beside(ws, held, made),
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


def _beside(ws: Workspace, held: HeldOut, made: Plan) -> tuple[Beside, ...]:
    """Return what is bought beside the budget."""
    price = made.prices[-1] - made.companion
    _, seconds = ws.store.measured(ws.campaign.accurate)
    each = float(seconds.mean()) / ws.engine.workers if len(seconds) else None

    def row(what: str, labels: int) -> Beside:
        return Beside(what, labels, labels * price, None if each is None else labels * each)

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
    index : of the round that is planned.
    """
    campaign = ws.campaign
    levels = [ws.labelled(fidelity, random[fidelity.name]) for fidelity in campaign.fidelities]
    ws.begin("measuring learning curves")
    atoms = int(np.diff(ws.pool.offsets).max())
    measured = campaign_law(campaign, levels, atoms, campaign.seed_for("curves", index))
    if measured.points:
        amount = measured.seconds if campaign.budget.unit == "core-second" else 0.0
        ws.ledger.charge("training", amount, f"learning curves before round {index}", measured.seconds)
    return measured


def priced_levels(
    ws: Workspace, orders: Mapping[str, Sequence[str]], owned: Mapping[str, int] | None = None
) -> list[PricedLevel]:
    """Return the levels of a campaign as the planner sees them.

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
        available = len(orders[name]) if alone else 0
        levels.append(_priced(ws, fidelity, prices[name], available, known.get(name, 0)))
    # an accurate training frame gets its cheap labels too
    companion = sum(prices[fidelity.name] for fidelity in campaign.cheap)
    levels[-1] = replace(levels[-1], cost=levels[-1].cost + companion, companion=companion)
    return levels


def _priced(ws: Workspace, fidelity: Fidelity, price: float, available: int, owned: int) -> PricedLevel:
    """Return a fidelity as the planner sees it; pilot labels are counted as still to be bought.

    Parameters
    ----------
    price : of one label, base units.
    available : frames it could label, those it has labelled included.
    owned : labels it has for training.
    """
    measured = ws.store.statistics(fidelity)
    return PricedLevel(
        fidelity.name,
        price,
        owned=owned,
        available=max(available - owned, 0),
        seconds=measured.mean_seconds if measured.done else None,
        kind=level_kind(fidelity),
    )


def start_size(ws: Workspace, made: Plan) -> int:
    """Return how many accurate labels round 0 draws at random."""
    rules, planned = ws.campaign.rules, made.recommended.bought[-1]
    if rules.rounds == 0:
        return planned
    wanted = rules.start if rules.start is not None else round(START_SHARE * planned)
    piloted = 0 if ws.campaign.accurate.price.declared else rules.pilot
    return min(planned, max(FEWEST, piloted, *made.pilot[-1:], wanted))


def sample_pool(campaign: Campaign, break_lock: bool = False) -> Frames:
    """Return the pool of a campaign, sampled and stored on the first call.

    Raises
    ------
    UsageError
        where it was sampled with other settings than those of now.
    """
    with open_store(campaign.folder.store, break_lock) as (store, _):
        identify(campaign, store)
        enforce(campaign, store)
        if store.record("pool") is None:
            begin_stage(store, "pool")
        return ensure_pool(campaign, store)


def plan_campaign(campaign: Campaign, report: Reporter, break_lock: bool = False) -> Plan:
    """Return the plan of a campaign: sample, hold out, label a pilot, recommend; kept in plan.json."""
    with open_workspace(campaign, report, break_lock) as ws:
        return prepare(ws).plan
