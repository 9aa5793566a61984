"""Learning curves measured on labels that are bought anyway: of cheap levels, and of their differences."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from fidsel.data import Frames
from fidsel.fidelity.planner.law import CurvePoint, Link, Normal
from fidsel.models import Fittable, ForceField
from fidsel.training.evaluate import validation_error
from fidsel.training.stage import ModelFactory

HELD, FEWEST_FOLDS = 4, 3
"""Most labels of a part that is scored on in turn by a model that has not seen it, and fewest such parts."""
MANY = 24
"""Labels from which on three parts are enough."""
SHARES = (0.25, 0.5, 1.0)
"""Nested parts of the other labels that a model is fitted to."""
FEWEST = 5
"""Labels of the smallest fit: below, kernels have not begun to learn."""
CHOOSING, MOST_CHOOSING = 0.3, 20
"""Part of the labels of a fold, and most of them, that choose the length scale; the others are scored on."""
MOST = 300
"""Labels of a level used at most: fits to more take long, and extrapolation from these is short."""
SPREAD = 0.2
"""Standard deviation of ln error, beside that between folds: they share frames."""


def measured_curves(
    levels: Sequence[Frames], model: ModelFactory, seed: int, most: int = MOST
) -> tuple[CurvePoint, ...]:
    """Return learning curves of levels and of the difference of each two, by cross-validation.

    Nested parts of the labels are fitted and scored on labels that were not: with few labels this is all that
    can be known of the law, and it costs no label. Models without a closed-form fit take too long for that.

    Parameters
    ----------
    levels : labelled frames of each level, cheapest first, in the random order they were bought in; the
        difference of two levels is taken where a frame has both.
    model : builds the campaign's model.
    seed : of the model.
    most : labels used at most of each curve.
    """
    fresh = model(seed)
    if not isinstance(fresh, Fittable):
        return ()
    points = []
    for row, frames in enumerate(levels):
        points += _curve(Link(row), frames[:most], fresh)
    for base, level in combinations(range(len(levels)), 2):
        points += _curve(Link(level, base), difference(levels[level], levels[base])[:most], fresh)
    return tuple(points)


def force_ratios(levels: Sequence[Frames]) -> dict[Link, Normal]:
    """Return ln of the mean force difference of each two levels over the mean force of the cheaper one.

    The standard deviation is that of sampling; levels that share fewer than two frames are left out.
    """
    found = {}
    for base, level in combinations(range(len(levels)), 2):
        both = difference(levels[level], levels[base])
        if len(both) < 2 or not both.has_forces.all():
            continue
        each = np.add.reduceat(np.abs(both.forces).mean(axis=1), both.offsets[:-1]) / np.diff(both.offsets)
        typical = np.nanmean(np.abs(levels[base].forces))
        spread = each.std(ddof=1) / each.mean() / len(each) ** 0.5
        found[Link(level, base)] = Normal(float(np.log(each.mean() / typical)), float(spread))
    return found


def difference(frames: Frames, base: Frames) -> Frames:
    """Return the frames that have both labels, with the difference of the two."""
    row = {name: i for i, name in enumerate(base.ids)}
    both = [i for i, name in enumerate(frames.ids) if name in row]
    own, other = frames[both], base[[row[frames.ids[i]] for i in both]]
    return own.replace(energy=own.energy - other.energy, forces=own.forces - other.forces)


def _curve(link: Link, frames: Frames, model: Fittable) -> list[CurvePoint]:
    """Return the points of one curve, the mean error over folds."""
    parts = FEWEST_FOLDS if len(frames) > MANY else max(FEWEST_FOLDS, -(-len(frames) // HELD))
    folds = [np.arange(start, len(frames), parts) for start in range(parts)]
    errors: dict[int, list[float]] = {}
    for held in folds:
        rest = np.setdiff1d(np.arange(len(frames)), held)
        choosing = min(MOST_CHOOSING, max(1, round(CHOOSING * len(held))))
        if len(held) <= choosing:
            return []
        for share in SHARES:
            n = round(share * min(len(fold) for fold in folds) * (parts - 1))
            if n >= FEWEST:
                fitted, _ = model.fit(frames[rest[:n]], frames[held[:choosing]])
                errors.setdefault(n, []).append(validation_error(fitted, frames[held[choosing:]]))
    return [CurvePoint(link, n, float(np.mean(found)), _sd(found)) for n, found in errors.items()]


def _sd(errors: Sequence[float]) -> float:
    """Return the standard deviation of ln of the mean over folds."""
    return float(np.hypot(SPREAD, np.std(errors, ddof=1) / np.mean(errors) / len(errors) ** 0.5))
