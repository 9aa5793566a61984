"""The control arm: what the same money would have brought without fidsel.

Standard training on randomly drawn accurate labels. Either its learning curve on labels the campaign
owns anyway is extrapolated to equal spend ("owned"), or the labels are bought beside the budget and the
arm is trained at the spend of every round ("bought"). Like the campaign it pays for validation labels, and
for attempts that give no label.
"""

from collections.abc import Mapping, Sequence
from math import exp, floor, inf, log
from typing import NamedTuple, Self

import numpy as np

from fidsel.campaign.plans.minimum_budget import FEWEST
from fidsel.campaign.records.decisions import Sampled
from fidsel.campaign.records.round import ControlArm, HeldOut, Round, Saving
from fidsel.campaign.rounds.baseline import chosen_baseline
from fidsel.campaign.rounds.training import Wanted, watched
from fidsel.campaign.rounds.training_set import random_order
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.fidelity.planner.law import MOST, SCATTER, CurvePoint, Law, Link, fit_law, interval
from fidsel.fidelity.planner.priors import law_prior
from fidsel.fidelity.store.failures import with_failures
from fidsel.training.evaluate import Metrics, errors
from fidsel.training.stage import TrainingData

FRACTIONS = (0.5, 0.7, 1.0)
"""Nested subsets of the owned random labels that the learning curve is measured on."""
REACH = 10.0
"""How many times beyond its last point the learning curve is believed."""
FADE = 2 * SCATTER
"""Beyond measured points, the difference in ln error over which the curve goes back to its fit."""

Curve = Mapping[int, float]
"""Headline error by the number of labels that were trained on."""


class Terms(NamedTuple):
    """What an accurate label costs the control arm, and how many it validates by.

    Parameters
    ----------
    price : of a label that can be used, base units: what attempts that gave none have cost is part of it.
    validation : labels that the campaign validates by; the arm uses them too, and pays for them.
    """

    price: float
    validation: int

    @classmethod
    def of(cls, ws: Workspace, held: HeldOut) -> Self:
        """Return the terms by what has been measured so far."""
        accurate = ws.campaign.accurate
        price = ws.price(accurate) * with_failures(ws.store, accurate)
        return cls(price, len(ws.store.label_ids(accurate, held.validation)))

    def affordable(self, spent: float) -> int:
        """Return the accurate training labels that a spend would have bought, validation paid first.

        >>> Terms(2.0, 4).affordable(20.0), Terms(0.0, 4).affordable(20.0)
        (6, 0)
        """
        return floor(spent / self.price - self.validation + 1e-9) if self.price > 0 else 0

    def cost(self, labels: float) -> float:
        """Return what so many labels cost, those for validation included, base units."""
        return self.price * (labels + self.validation)


def control_arm(
    ws: Workspace, held: HeldOut, earlier: Sequence[Round], spent: float, ours: Metrics
) -> ControlArm | None:
    """Return the control arm at a spend, None where it is off or the spend bought too few labels."""
    kind, terms = ws.campaign.rules.control, Terms.of(ws, held)
    if kind == "off" or terms.affordable(spent) < FEWEST:
        return None
    if kind == "bought":
        return _bought(ws, held, terms, earlier, spent, ours)
    owned = ws.labelled(ws.campaign.accurate, ws.journal.training_ids(len(earlier)).random)
    return _owned(ws, held, terms, owned, spent, ours)


def ask_control(ws: Workspace, held: HeldOut) -> None:
    """Ask other people for labels that a control arm will need, at the spend expected of the round."""
    accurate = ws.campaign.accurate
    if ws.campaign.rules.control != "bought" or not accurate.outside:
        return
    asked = {one.frame_id for one in ws.ledger.awaited(accurate.key) if one.account != "control"}
    order = _order(ws, held)[: Terms.of(ws, held).affordable(ws.spent())]
    ws.buy(accurate, [frame for frame in order if frame not in asked], "control", wait=False)


def _order(ws: Workspace, held: HeldOut) -> tuple[str, ...]:
    """Return the frames that the control arm can have labelled, in the random order that it does."""
    sampled, able = ws.journal.require(Sampled).frames, ws.cover[ws.campaign.accurate.name]
    return random_order(ws.pool, sampled, held, able, ws.campaign.rng("control"), ws.turns)


def _random_labels(ws: Workspace, held: HeldOut, count: int) -> Frames:
    """Buy so many labels of random frames, others in place of those that fail; fewer where none are left."""
    accurate, order = ws.campaign.accurate, _order(ws, held)
    tried, lacking = 0, count
    while lacking and tried < len(order):
        tried += lacking
        ws.buy(accurate, order[:tried], "control")
        lacking = count - len(ws.labelled(accurate, order[:tried]))
    return ws.labelled(accurate, order[:tried])


def _bought(
    ws: Workspace, held: HeldOut, terms: Terms, earlier: Sequence[Round], spent: float, ours: Metrics
) -> ControlArm | None:
    wanted = terms.affordable(spent)
    train = _random_labels(ws, held, wanted)
    count = len(train)
    if count < FEWEST:
        return None
    terms = Terms.of(ws, held)  # known better by what was just bought
    (measured,) = _train(ws, held, [train])
    before = [r.control for r in earlier if r.control is not None and r.control.kind == "bought"]
    error = measured.headline
    curve = {arm.trained: arm.error for arm in before} | {count: error}
    used_up = count < wanted
    # a price that is measured anew may have fallen, but no arm comes before its earlier self
    reached = max([terms.cost(count), *(arm.at for arm in before)])
    return ControlArm(
        "bought",
        count + terms.validation,
        error,
        error,
        error,
        ws.ledger.spent("control"),
        saving(_law(ws, curve), curve, ours.headline, spent, terms),
        measured,
        trained=count,
        at=min(reached, spent) if used_up else spent,
        used_up=used_up,
    )


def _owned(
    ws: Workspace, held: HeldOut, terms: Terms, owned: Frames, spent: float, ours: Metrics
) -> ControlArm | None:
    if len(owned) < FEWEST:
        return None
    numbers = sorted({max(FEWEST, round(part * len(owned))) for part in FRACTIONS})
    measured = _train(ws, held, [owned[:n] for n in numbers])
    curve = {n: one.headline for n, one in zip(numbers, measured, strict=True)}
    law, count = _law(ws, curve), terms.affordable(spent)
    return ControlArm(
        "owned",
        count + terms.validation,
        *law.predict(count, ()),
        0.0,
        saving(law, curve, ours.headline, spent, terms),
        extrapolated_from=len(owned),
        trained=count,
        at=spent,
    )


def _law(ws: Workspace, curve: Curve) -> Law:
    points = [CurvePoint(Link(0), labels, error) for labels, error in curve.items()]
    prior = law_prior(["wavefunction"], int(ws.pool.sizes.max()))
    return fit_law(points, prior, seed=ws.campaign.seed_for("control law"))


def saving(law: Law, curve: Curve, error: float, spent: float, terms: Terms) -> Saving:
    """Return the share of the control arm's spend that the campaign saved at equal error.

    saving = 1 − spent / (price · (n(error) + validation)), n(error) being where the control's learning
    curve reaches the campaign's error: the law fitted to its points, drawn through them (see `through`).
    Negative where the campaign spent more. Beyond `REACH` times its last point the curve is not believed: the
    saving is what it is there, marked as a lower bound. The interval is that of the law's posterior draws.

    Parameters
    ----------
    curve : measured points, which the law was fitted to.
    error : of the campaign, in the unit of the curve.
    spent : by the campaign, base units.
    """
    furthest, factor = REACH * max(curve), through(law, curve, error)

    def share(labels: float) -> float:
        return 1.0 - spent / terms.cost(min(max(labels, 1.0), furthest))

    middle = factor * float(law.mean.labels_at(error)[0])
    drawn = interval(factor * law.labels_at(error))
    return Saving(
        share(middle), middle > furthest, share(drawn.low), share(drawn.high), drawn.high > furthest
    )


def through(law: Law, curve: Curve, error: float) -> float:
    """Return by what to multiply the labels that a law says an error takes, so that measured points are met.

    Its logarithm is interpolated in ln error between points, where a fit would say otherwise than what was
    measured; within `FADE` beyond them it goes to zero. Points count that were better than all with fewer
    labels.
    """
    best, shifts = inf, {}
    for labels, reached in sorted(curve.items()):
        if reached < best:
            best = reached
            shifts[log(reached)] = log(labels / min(float(law.mean.labels_at(reached)[0]), MOST))
    knots = sorted(shifts)
    at = [knots[0] - FADE, *knots, knots[-1] + FADE]
    return exp(np.interp(log(max(error, 1e-300)), at, [0.0, *(shifts[knot] for knot in knots), 0.0]))


def _train(ws: Workspace, held: HeldOut, trains: Sequence[Frames]) -> list[Metrics]:
    """Return the held-out errors of standard training on some accurate labels, and on others."""
    campaign = ws.campaign
    ws.begin("training the control arm")
    validation, seed = ws.labelled(campaign.accurate, held.validation), campaign.seed_for("control")
    wanted = {
        f"control arm of {len(train)} labels": Wanted(
            campaign.control_recipe, TrainingData(train, validation), seed
        )
        for train in trains
    }
    trained = watched(campaign, ws.report, wanted, chosen_baseline(ws), ws.trainer)
    shown = ws.labelled(campaign.accurate, held.test or held.validation)
    return [errors(one.model, shown).metrics() for one in trained]
