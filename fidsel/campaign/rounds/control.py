"""The control arm: what the same money would have brought without fidsel.

Standard training on randomly drawn accurate labels. Either its learning curve on labels the campaign
owns anyway is extrapolated to equal spend ("owned"), or the labels are bought beside the budget and the
arm is trained at the spend of every round ("bought").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fidsel.campaign.records.round import ControlArm, HeldOut, Metrics, Round, Saving
from fidsel.campaign.rounds.measure import metrics
from fidsel.campaign.rounds.training import watched
from fidsel.campaign.rounds.training_set import Mixture, random_order
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.fidelity.planner.law import CurvePoint, Law, Link, fit_law, interval
from fidsel.fidelity.planner.priors import law_prior
from fidsel.training.stage import TrainingData

FRACTIONS = (0.5, 0.7, 1.0)
"""Nested subsets of the owned random labels that the learning curve is measured on."""
FEWEST = 3
"""Smallest training set of the control arm."""

REACH = 10.0
"""How many times beyond its last point the learning curve is believed."""


@dataclass(frozen=True)
class Curve:
    """Measured points of the control arm: labels and headline error."""

    labels: tuple[int, ...]
    errors: tuple[float, ...]


def affordable(ws: Workspace, spent: float) -> int:
    """Return the accurate training labels that a spend would have bought, validation paid first."""
    price = ws.price(ws.campaign.accurate)
    paid = spent - price * ws.campaign.rules.validation
    return int(np.floor(paid / price + 1e-9)) if price > 0 else 0


def control_arm(
    ws: Workspace, held: HeldOut, ids: Mixture, earlier: Sequence[Round], spent: float, ours: Metrics
) -> ControlArm | None:
    """Return the control arm at a spend, None where it is off or the spend bought too few labels."""
    kind, count = ws.campaign.rules.control, affordable(ws, spent)
    if kind == "off" or count < FEWEST:
        return None
    if kind == "bought":
        return _bought(ws, held, count, earlier, spent, ours)
    return _owned(ws, held, ids, count, spent, ours)


def _bought(
    ws: Workspace, held: HeldOut, count: int, earlier: Sequence[Round], spent: float, ours: Metrics
) -> ControlArm | None:
    accurate = ws.campaign.accurate
    order = random_order(ws, held, "control")[:count]
    ws.buy(accurate, order, "control")
    train = ws.labelled(accurate, order)
    count = len(train)
    if count < FEWEST:
        return None
    measured = _train(ws, held, train)
    before = [r.control for r in earlier if r.control is not None and r.control.metrics is not None]
    curve = Curve(
        (*(arm.labels for arm in before), count), (*(arm.error for arm in before), measured.headline)
    )
    error = measured.headline
    saved = saving(ws, curve, _law(ws, curve), spent, ours.headline)
    return ControlArm("bought", count, error, error, error, ws.ledger.spent("control"), saved, measured)


def _owned(
    ws: Workspace, held: HeldOut, ids: Mixture, count: int, spent: float, ours: Metrics
) -> ControlArm | None:
    owned = ws.labelled(ws.campaign.accurate, ids.random)
    if len(owned) < FEWEST:
        return None
    numbers = sorted({max(FEWEST, round(part * len(owned))) for part in FRACTIONS})
    found = tuple(_train(ws, held, owned[:n]).headline for n in numbers)
    curve = Curve(tuple(numbers), found)
    law = _law(ws, curve)
    middle, low, high = law.predict(count, ())
    saved = saving(ws, curve, law, spent, ours.headline)
    return ControlArm("owned", count, middle, low, high, 0.0, saved, extrapolated_from=len(owned))


def _law(ws: Workspace, curve: Curve) -> Law:
    points = [CurvePoint(Link(0), n, error) for n, error in zip(curve.labels, curve.errors, strict=True)]
    prior = law_prior(["wavefunction"], int(np.diff(ws.pool.offsets).max()))
    return fit_law(points, prior, seed=ws.campaign.seed_for("control law"))


def saving(ws: Workspace, curve: Curve, law: Law, spent: float, error: float) -> Saving:
    """Return the share of the control arm's spend that the campaign saved at equal error.

    saving = 1 − spent / (price · (n(error) + validation)), n(error) being where the control's learning
    curve, fitted to its points, reaches the campaign's error. Negative where the campaign
    spent more. The curve is believed up to `REACH` times its last point; beyond that the saving is
    what it is there, marked as a lower bound. The interval is that of the curve's posterior draws.
    """
    furthest, price = REACH * curve.labels[-1], ws.price(ws.campaign.accurate)

    def share(labels: float) -> float:
        reached = min(max(labels, 1.0), furthest)
        return 1.0 - spent / (price * (reached + ws.campaign.rules.validation))

    middle = float(law.mean.labels_at(error)[0])
    drawn = interval(law.labels_at(error))
    return Saving(
        share(middle), middle > furthest, share(drawn.low), share(drawn.high), drawn.high > furthest
    )


def _train(ws: Workspace, held: HeldOut, train: Frames) -> Metrics:
    """Return the held-out errors of standard training on some accurate labels."""
    campaign = ws.campaign
    ws.begin("training the control arm")
    data = TrainingData(train, ws.labelled(campaign.accurate, held.validation))
    what = f"control arm of {len(train)} labels"
    trained = watched(ws, campaign.control_recipe, data, campaign.seed_for("control"), what)
    return metrics(trained.model, ws.labelled(campaign.accurate, held.test or held.validation))
