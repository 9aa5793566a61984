"""How much a round buys: its share of what measured costs leave to spend."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from fidsel.campaign.plans.least import FEWEST
from fidsel.campaign.plans.plan import Prepared, measured_law, priced_levels
from fidsel.campaign.rounds.training_set import bought_for_training
from fidsel.campaign.workspace import Workspace
from fidsel.fidelity.planner.recommend import plan


@dataclass(frozen=True)
class Share:
    """What a round may buy.

    Parameters
    ----------
    picks : accurate frames to pick, each with its cheap labels.
    probes : accurate frames to draw at random first, so that errors can be estimated.
    cheap : further cheap labels of random frames, per level.
    """

    picks: int
    probes: int
    cheap: Mapping[str, tuple[str, ...]]


def share(ws: Workspace, ready: Prepared, index: int) -> Share:
    """Return an even share of what is left: the last round spends the remainder.

    Probes take at most half of it.
    """
    rules, price = ws.campaign.rules, frame_cost(ws)
    extra = _replanned(ws, ready, index)
    affordable = _affordable(ws, extra, price)
    if affordable < 1:
        extra = {}
        affordable = _affordable(ws, extra, price)
    frames = ceil(affordable / (rules.rounds - index + 1))
    wanted = rules.probes if ws.campaign.probing else 0
    if rules.per_round is not None:
        frames = min(affordable, rules.per_round + wanted)
    probes = min(wanted, frames // 2)
    return Share(frames - probes, probes, extra)


def frame_cost(ws: Workspace) -> float:
    """Return what one accurate training frame costs, its cheap labels included, base units."""
    return sum(ws.prices().values())


def _affordable(ws: Workspace, extra: Mapping[str, tuple[str, ...]], price: float) -> int:
    money = ws.remaining() - ws.cost({name: len(ids) for name, ids in extra.items()})
    return floor(max(money, 0.0) / price + 1e-9) if price > 0 else len(ws.pool)


def _replanned(ws: Workspace, ready: Prepared, index: int) -> dict[str, tuple[str, ...]]:
    """Return the random frames that measured costs and curves make worth a cheap label beyond those owned.

    Where prices are declared and nothing can be measured, all was known when the campaign was planned.
    """
    campaign, remaining = ws.campaign, ws.remaining()
    if remaining <= 0 or campaign.cheap_use != "labels" or not campaign.cheap:
        return {}
    ids = bought_for_training(ws, index - 1)
    measured = measured_law(ws, ids.cheap | {campaign.accurate.name: ids.random}, index)
    if not measured.points and all(fidelity.price.declared for fidelity in campaign.fidelities):
        return {}
    owned = {name: len(frames) for name, frames in ids.cheap.items()}
    owned[campaign.accurate.name] = max(FEWEST, len(ids.accurate))
    made = plan(
        remaining,
        priced_levels(ws, ready.orders, owned),
        points=measured.points,
        law=measured.law,
        minimum=FEWEST,
        workers=ws.engine.workers,
        unit=campaign.budget.unit,
        seed=campaign.seed_for("plan", index),
    )
    extra = {}
    for fidelity, number in zip(campaign.cheap, made.recommended.bought, strict=False):
        known = set(ids.cheap[fidelity.name])
        order = ready.orders[fidelity.name]
        extra[fidelity.name] = tuple(frame for frame in order if frame not in known)[:number]
    return extra
