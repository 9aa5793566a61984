"""How much a round buys: an even part of what measured costs leave to spend."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from fidsel.campaign.plans.minimum_budget import FEWEST
from fidsel.campaign.plans.plan import Prepared, measured_law, priced_levels
from fidsel.campaign.plans.spread import spread
from fidsel.campaign.settings import Campaign
from fidsel.campaign.workspace import Workspace, frame_price
from fidsel.fidelity.planner.recommend import Start, plan


@dataclass(frozen=True)
class RoundSize:
    """What a round may buy.

    Parameters
    ----------
    picks : accurate frames to pick, each with its cheap labels.
    probes : accurate frames to draw at random first, so that errors can be estimated.
    cheap : frames that get further cheap labels, per level.
    """

    picks: int
    probes: int
    cheap: Mapping[str, tuple[str, ...]]


def round_size(ws: Workspace, ready: Prepared, index: int) -> RoundSize:
    """Return an even part of what is left: the last round spends the remainder.

    Probes take at most half of it.
    """
    price, extra = frame_cost(ws), _replanned(ws, ready, index)
    if _affordable(ws, extra, price) < 1:
        extra = {}
    picks, probes = split(ws.campaign, index, _affordable(ws, extra, price))
    return RoundSize(picks, probes, extra)


def split(campaign: Campaign, index: int, affordable: int) -> tuple[int, int]:
    """Return how many frames a round picks and probes, of those that what is left pays for."""
    rules = campaign.rules
    wanted = rules.probes if campaign.step.probes else 0
    frames = ceil(affordable / (rules.rounds - index + 1))
    if rules.per_round is not None:
        frames = min(affordable, rules.per_round + wanted)
    probes = min(wanted, frames // 2)
    return frames - probes, probes


def frame_cost(ws: Workspace) -> float:
    """Return what one accurate training frame costs, its cheap labels included, base units."""
    return frame_price(ws.store, ws.campaign.fidelities)


def random_frames(ws: Workspace, ready: Prepared, index: int) -> dict[str, tuple[str, ...]]:
    """Return the frames of each level that were drawn at random before a round, in order of buying."""
    ids, start = ws.journal.bought(index - 1), len(ws.journal.bought(0).accurate)
    found = {ws.campaign.accurate.name: ids.random}
    for name, frames in ids.cheap.items():
        drawn = {*ready.orders[name][: ready.at_random(start)], *ids.random}
        found[name] = tuple(frame for frame in frames if frame in drawn)
    return found


def _affordable(ws: Workspace, extra: Mapping[str, tuple[str, ...]], price: float) -> int:
    money = ws.remaining() - ws.cost(extra)
    return floor(max(money, 0.0) / price + 1e-9) if price > 0 else len(ws.pool)


def _replanned(ws: Workspace, ready: Prepared, index: int) -> dict[str, tuple[str, ...]]:
    """Return the frames that measured costs and curves make worth a cheap label beyond those owned.

    Where prices are declared and nothing can be measured, all was known when the campaign was planned.
    """
    campaign, remaining = ws.campaign, ws.remaining()
    if remaining <= 0 or campaign.cheap_use != "labels" or not campaign.cheap:
        return {}
    ids = ws.journal.bought(index - 1)
    measured = measured_law(ws, random_frames(ws, ready, index), index)
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
        start=Start(0.0),  # what is picked from now on is picked apart from the cheap labels
    )
    extra = {}
    for fidelity, number in zip(campaign.cheap, made.recommended.bought, strict=False):
        order, known = ready.orders[fidelity.name], ids.cheap[fidelity.name]
        extra[fidelity.name] = spread(ws, order, known, number)
    return extra
