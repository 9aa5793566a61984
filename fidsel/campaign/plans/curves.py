"""Learning curves measured on labels that are bought anyway: of cheap levels, and of their differences."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from math import floor
from time import process_time
from typing import NamedTuple

import numpy as np

from fidsel.campaign.settings import Campaign
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.planner.law import CurvePoint, Law, Link, Normal, fit_law
from fidsel.fidelity.planner.priors import Kind, Learner, is_minimal, kind_of, law_prior
from fidsel.fidelity.source import LabelSource, names_of
from fidsel.models import Fittable
from fidsel.models.combinations.labels import SourceLabels
from fidsel.models.watch import SideBySide, Watch
from fidsel.training.apart import Trainer
from fidsel.training.evaluate import validation_error
from fidsel.training.recipes.standard import Standard
from fidsel.training.stage import ModelFactory, TrainingData

HELD, FEWEST_FOLDS = 4, 3
"""Most labels of a part that is scored on in turn by a model that has not seen it, and fewest such parts."""
MANY = 24
"""Labels from which on three parts are enough."""
SHARES = (0.25, 0.5, 1.0)
"""Nested parts of the other labels that a model is fitted to."""
FEWEST = 5
"""Labels of the smallest fit: below, kernels have not begun to learn."""
KEPT = 0.9
"""Part of the labels of a cheap level that its model is fitted to; recipes hold out the rest."""
CHOOSING, MOST_CHOOSING = 0.3, 20
"""Part of the labels of a fold, and most of them, that choose the length scale; the others are scored on."""
EQUATIONS = 2000
"""Equations (frames × 3N − 6) of the largest fit: more take long, and extrapolation from these is short."""
ACCURATE_SHARE, CHEAP_SHARE = 0.1, 0.05
"""Parts of the budget that buy the pilot labels of the accurate level, and of all cheap ones together."""
MOST_PAIRS, MOST_CHEAP = 20, 300
"""Pilot labels at most, of the accurate level and of each cheap one."""
FEWEST_PAIRS = 3
"""Accurate pilot labels below which nothing can be learnt from them."""
SPREAD = 0.2
"""Standard deviation of ln error, beside that between folds: they share frames."""


class _Fit(NamedTuple):
    """One fit to a part of the labels of a curve.

    Parameters
    ----------
    labels : bought for it.
    data : what is fitted, and what chooses the settings.
    held : frames that neither has seen.
    """

    link: Link
    labels: float
    data: TrainingData
    held: Frames


class Measured(NamedTuple):
    """What is known of the learning law of a campaign, and the CPU time that took."""

    law: Law
    points: tuple[CurvePoint, ...]
    seconds: float


def pilot_labels(campaign: Campaign, prices: Mapping[str, float]) -> dict[str, int]:
    """Return how many labels of each level the learning curves are measured on before the plan is made.

    They are the first of the labels that are trained on, and take 15 % of the budget at most; none are bought
    where that pays for too few to learn from, or where the recipe or the model leaves nothing to measure.

    Parameters
    ----------
    prices : of one label of each level, base units.
    """
    none = dict.fromkeys(prices, 0)
    if campaign.cheap_use not in ("labels", "pairs") or not campaign.cheap or not measurable(campaign):
        return none
    total, price = campaign.budget.total, prices[campaign.accurate.name]
    pairs = floor(ACCURATE_SHARE * total / price) if price > 0 else MOST_PAIRS
    if campaign.rules.start is not None:
        pairs = min(pairs, campaign.rules.start)
    if pairs < FEWEST_PAIRS:
        return none
    found = {campaign.accurate.name: min(pairs, MOST_PAIRS)}
    for level in campaign.cheap:
        money = CHEAP_SHARE * total / len(campaign.cheap)
        count = floor(money / prices[level.name]) if prices[level.name] > 0 else MOST_CHEAP
        more = min(count, MOST_CHEAP) if campaign.cheap_use == "labels" else 0
        found[level.name] = max(found[campaign.accurate.name], more)
    return found


def measurable(campaign: Campaign) -> bool:
    """Return whether learning curves can be measured within seconds: kernels on forces."""
    forces = all(level.forces for level in campaign.fidelities)
    return forces and isinstance(campaign.model(0), Fittable)


def campaign_law(
    campaign: Campaign,
    levels: Sequence[Frames],
    atoms: int,
    seed: int,
    baseline: SourceLabels | None = None,
    trainer: Trainer | None = None,
) -> Measured:
    """Return what is known of a campaign's learning law: of its kinds of levels, and of the labels it has.

    Parameters
    ----------
    levels : labelled frames of each level that were drawn at random, cheapest first, in order of buying.
    trainer : fits in processes of their own; None = in this one.
    """

    def clock() -> float:
        return process_time() + (0.0 if trainer is None else trainer.seconds)

    begun, kinds = clock(), [level_kind(level) for level in campaign.fidelities]
    exact = [len(kinds) - 2] if campaign.cheap_use == "pairs" and len(kinds) > 1 else []
    learner: Learner = "kernel" if isinstance(campaign.model(0), Fittable) else "network"
    points: tuple[CurvePoint, ...] = ()
    ratios: dict[Link, Normal] = {}
    one_molecule = len({formula for frames in levels for formula in frames.formulas}) == 1
    if one_molecule and measurable(campaign):
        above = levels if baseline is None else [baseline.subtract(frames) for frames in levels]
        most = EQUATIONS // max(3 * atoms - 6, 1)
        points = measured_curves(above, campaign.model, seed, most, trainer)
        ratios = force_ratios(levels)
    beneath = None if baseline is None else source_kind(baseline.source)
    law = fit_law(points, law_prior(kinds, atoms, learner, exact, ratios, beneath), seed=seed)
    return Measured(law, points, clock() - begun)


def level_kind(level: Fidelity) -> Kind:
    """Return what kind of theory a level is of, by what its source says of itself and by its name."""
    return source_kind(level.source, level.name)


def source_kind(source: LabelSource, *names: str) -> Kind:
    """Return what kind of theory a source computes, by what it says of itself and by other names of it."""
    if is_minimal(str(source.settings().get("basis", ""))):
        return "semi-empirical"
    found = [kind_of(word) for word in (*names_of(source), *names)]
    return next((kind for kind in found if kind != "dft"), "dft")


def measured_curves(
    levels: Sequence[Frames],
    model: ModelFactory,
    seed: int,
    most: int = 300,
    trainer: SideBySide | None = None,
) -> tuple[CurvePoint, ...]:
    """Return learning curves of levels and of the difference of each two, by cross-validation.

    Nested parts of the labels are fitted and scored on labels that were not: with few labels this is all that
    can be known of the law, and it costs no label. Models without a closed-form fit take too long for that.

    Parameters
    ----------
    levels : labelled frames of each level, cheapest first, in the random order they were bought in; the
        difference of two levels is taken where a frame has both.
    most : labels used at most of each curve.
    trainer : runs the fits side by side; None = here, one after the other.
    """
    if not isinstance(model(seed), Fittable):
        return ()
    fits = []
    for row, frames in enumerate(levels):
        cheap = row < len(levels) - 1
        fits += _fits(Link(row), frames[:most], KEPT if cheap else 1.0)
    for base, level in combinations(range(len(levels)), 2):
        fits += _fits(Link(level, base), difference(levels[level], levels[base])[:most])
    calls = {
        f"learning curves, fit {number} of {len(fits)}": partial(Standard(), one.data, model, seed)
        for number, one in enumerate(fits, 1)
    }
    trained = Watch(trainer=trainer).each(calls)
    errors: dict[tuple[Link, float], list[float]] = {}
    for one, found in zip(fits, trained, strict=True):
        errors.setdefault((one.link, one.labels), []).append(validation_error(found.model, one.held))
    return tuple(
        CurvePoint(link, labels, float(np.mean(each)), _sd(each)) for (link, labels), each in errors.items()
    )


def force_ratios(levels: Sequence[Frames]) -> dict[Link, Normal]:
    """Return ln of the mean force difference of each two levels over the mean force of the cheaper one.

    The standard deviation is that of sampling; levels that share fewer than two frames are left out.
    """
    found = {}
    for base, level in combinations(range(len(levels)), 2):
        both = difference(levels[level], levels[base])
        if len(both) < 2 or not both.has_forces.all():
            continue
        each = both.mean_per_frame(np.abs(both.forces).mean(axis=1))
        typical = np.nanmean(np.abs(levels[base].forces))
        spread = each.std(ddof=1) / each.mean() / len(each) ** 0.5
        found[Link(level, base)] = Normal(float(np.log(each.mean() / typical)), float(spread))
    return found


def difference(frames: Frames, base: Frames) -> Frames:
    """Return the frames that have both labels, with the difference of the two."""
    row = {name: i for i, name in enumerate(base.ids)}
    both = [i for i, name in enumerate(frames.ids) if name in row]
    return above(frames[both], base[[row[frames.ids[i]] for i in both]])


def _fits(link: Link, frames: Frames, kept: float = 1.0) -> list[_Fit]:
    """Return the fits of one curve: nested parts of what each fold leaves, none where folds are too small.

    Parameters
    ----------
    kept : part of the labels bought that a model is fitted to.
    """
    parts = FEWEST_FOLDS if len(frames) > MANY else max(FEWEST_FOLDS, -(-len(frames) // HELD))
    folds, found = [np.arange(start, len(frames), parts) for start in range(parts)], []
    for held in folds:
        rest = np.setdiff1d(np.arange(len(frames)), held)
        choosing = min(MOST_CHOOSING, max(1, round(CHOOSING * len(held))))
        if len(held) <= choosing:
            return []
        for share in SHARES:
            n = round(share * min(len(fold) for fold in folds) * (parts - 1))
            if n >= FEWEST:
                data = TrainingData(frames[rest[:n]], frames[held[:choosing]])
                found.append(_Fit(link, n / kept, data, frames[held[choosing:]]))
    return found


def _sd(errors: Sequence[float]) -> float:
    """Return the standard deviation of ln of the mean over folds."""
    return float(np.hypot(SPREAD, np.std(errors, ddof=1) / np.mean(errors) / len(errors) ** 0.5))
