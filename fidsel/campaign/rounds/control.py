"""The control arm: what the same money would have brought without fidsel.

Standard training on randomly drawn accurate labels. Either its learning curve on labels the campaign
owns anyway is extrapolated to equal spend ("owned"), or the labels are bought beside the budget and the
arm is trained at the spend of every round ("bought").
"""

from collections.abc import Sequence
from math import floor

from fidsel.campaign.plans.minimum_budget import FEWEST
from fidsel.campaign.records.decisions import Sampled
from fidsel.campaign.records.round import ControlArm, HeldOut, Round, Saving
from fidsel.campaign.rounds.baseline import chosen_baseline
from fidsel.campaign.rounds.training import Wanted, watched
from fidsel.campaign.rounds.training_set import random_order
from fidsel.campaign.workspace import Workspace
from fidsel.data import Frames
from fidsel.fidelity.planner.law import CurvePoint, Law, Link, fit_law, interval
from fidsel.fidelity.planner.priors import law_prior
from fidsel.training.evaluate import Metrics, errors
from fidsel.training.stage import TrainingData

FRACTIONS = (0.5, 0.7, 1.0)
"""Nested subsets of the owned random labels that the learning curve is measured on."""
REACH = 10.0
"""How many times beyond its last point the learning curve is believed."""


def affordable(spent: float, price: float, validation: int) -> int:
    """Return the accurate training labels that a spend would have bought, validation paid first.

    >>> affordable(20.0, price=2.0, validation=4), affordable(20.0, price=0.0, validation=4)
    (6, 0)
    """
    return floor(spent / price - validation + 1e-9) if price > 0 else 0


def control_arm(
    ws: Workspace, held: HeldOut, earlier: Sequence[Round], spent: float, ours: Metrics
) -> ControlArm | None:
    """Return the control arm at a spend, None where it is off or the spend bought too few labels."""
    rules = ws.campaign.rules
    kind, count = rules.control, affordable(spent, ws.price(ws.campaign.accurate), rules.validation)
    if kind == "off" or count < FEWEST:
        return None
    if kind == "bought":
        return _bought(ws, held, count, earlier, spent, ours)
    owned = ws.labelled(ws.campaign.accurate, ws.journal.training_ids(len(earlier)).random)
    return _owned(ws, held, owned, count, spent, ours)


def ask_control(ws: Workspace, held: HeldOut) -> None:
    """Ask other people for labels that a control arm will need, at the spend expected of the round."""
    rules, accurate = ws.campaign.rules, ws.campaign.accurate
    if rules.control != "bought" or not accurate.outside:
        return
    asked = {one.frame_id for one in ws.ledger.awaited(accurate.key) if one.account != "control"}
    order = _order(ws, held, affordable(ws.spent(), ws.price(accurate), rules.validation))
    ws.buy(accurate, [frame for frame in order if frame not in asked], "control", wait=False)


def _order(ws: Workspace, held: HeldOut, count: int) -> list[str]:
    """Return so many frames for the control arm, drawn at random."""
    sampled, able = ws.journal.require(Sampled).frames, ws.cover[ws.campaign.accurate.name]
    return list(random_order(ws.pool, sampled, held, able, ws.campaign.rng("control"), ws.turns)[:count])


def _bought(
    ws: Workspace, held: HeldOut, count: int, earlier: Sequence[Round], spent: float, ours: Metrics
) -> ControlArm | None:
    accurate = ws.campaign.accurate
    order = _order(ws, held, count)
    ws.buy(accurate, order, "control")
    train = ws.labelled(accurate, order)
    count = len(train)
    if count < FEWEST:
        return None
    (measured,) = _train(ws, held, [train])
    before = [r.control for r in earlier if r.control is not None and r.control.metrics is not None]
    error = measured.headline
    law = _law(ws, [*((arm.labels, arm.error) for arm in before), (count, error)])
    saved = _saving(ws, law, count, spent, ours.headline)
    return ControlArm("bought", count, error, error, error, ws.ledger.spent("control"), saved, measured)


def _owned(
    ws: Workspace, held: HeldOut, owned: Frames, count: int, spent: float, ours: Metrics
) -> ControlArm | None:
    if len(owned) < FEWEST:
        return None
    numbers = sorted({max(FEWEST, round(part * len(owned))) for part in FRACTIONS})
    measured = _train(ws, held, [owned[:n] for n in numbers])
    law = _law(ws, [(n, one.headline) for n, one in zip(numbers, measured, strict=True)])
    middle, low, high = law.predict(count, ())
    saved = _saving(ws, law, numbers[-1], spent, ours.headline)
    return ControlArm("owned", count, middle, low, high, 0.0, saved, extrapolated_from=len(owned))


def _law(ws: Workspace, curve: Sequence[tuple[int, float]]) -> Law:
    """Return the law of a curve: numbers of labels, each with the headline error."""
    points = [CurvePoint(Link(0), labels, error) for labels, error in curve]
    prior = law_prior(["wavefunction"], int(ws.pool.sizes.max()))
    return fit_law(points, prior, seed=ws.campaign.seed_for("control law"))


def _saving(ws: Workspace, law: Law, labels: int, spent: float, error: float) -> Saving:
    price, validation = ws.price(ws.campaign.accurate), ws.campaign.rules.validation
    return saving(law, REACH * labels, error, spent, price, validation)


def saving(law: Law, furthest: float, error: float, spent: float, price: float, validation: int) -> Saving:
    """Return the share of the control arm's spend that the campaign saved at equal error.

    saving = 1 − spent / (price · (n(error) + validation)), n(error) being where the control's learning
    curve, fitted to its points, reaches the campaign's error. Negative where the campaign
    spent more. Beyond `furthest` labels the curve is not believed: the saving is what it is there, marked as
    a lower bound. The interval is that of the curve's posterior draws.

    Parameters
    ----------
    error : of the campaign, in the unit of the curve.
    spent : by the campaign, base units.
    price : of an accurate label, base units.
    validation : labels that the control arm would have bought too.
    """

    def share(labels: float) -> float:
        reached = min(max(labels, 1.0), furthest)
        return 1.0 - spent / (price * (reached + validation))

    middle = float(law.mean.labels_at(error)[0])
    drawn = interval(law.labels_at(error))
    return Saving(
        share(middle), middle > furthest, share(drawn.low), share(drawn.high), drawn.high > furthest
    )


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
