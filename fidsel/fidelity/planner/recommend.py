"""What to buy with a budget: prices and learning-curve points in, plan out; pure arithmetic."""

from collections.abc import Callable, Sequence
from math import inf

import numpy as np

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.law import CurvePoint, Law, LawPrior, fit_law, interval
from fidsel.fidelity.planner.plan import Plan, Scenario, Split
from fidsel.fidelity.planner.priors import TYPICAL_ATOMS, law_prior
from fidsel.fidelity.planner.split import ROUNDING, PricedLevel, SplitProblem, Start

__all__ = ["MINIMUM_ACCURATE", "PricedLevel", "Start", "plan"]

MINIMUM_ACCURATE = 20
"""Accurate labels below which no recipe is worth running."""

TABLE_SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85)
"""Shares of the money that go to a cheap level in the table, beside none and the best."""

PARETO_SHARES = (0.25, 0.35, 0.5, 0.7, 0.85, 1.0, 1.4, 2.0)
"""Budgets on the Pareto line, as fractions of the one given."""

FAR = 10
"""Ratio of accurate labels in the plan to those of the pilot from which the law is extrapolated far."""

WORTH = 1.02
"""Ratio of the error without a level to that with it below which the level is not worth having."""

ALL_AT_ONCE = Start()

Describe = Callable[[SplitProblem, Sequence[int]], Split]


def plan(
    total: float,
    levels: Sequence[PricedLevel],
    *,
    points: Sequence[CurvePoint] = (),
    law: Law | None = None,
    prior: LawPrior | None = None,
    absolute: bool = False,
    spent: float = 0.0,
    validation: int = 0,
    minimum: int = MINIMUM_ACCURATE,
    workers: int = 1,
    unit: str = "",
    show: Callable[[float], str] | None = None,
    seed: int = 0,
    start: Start = ALL_AT_ONCE,
) -> Plan:
    """Return how many labels to buy at each level, and what that should bring.

    The split minimises the posterior mean of ln error under the learning law (`Posterior`). All
    ratios in the plan compare with standard training on accurate labels alone, bought with the whole
    budget. A cheap label may belong to a frame that also gets an accurate one: such frames count
    among the cheap labels, not on top of them. Frames picked after the cheap labels are bought may have
    none yet; where accurate frames have `companion` labels they get one then (see `start`).

    Parameters
    ----------
    total : budget.
    levels : cheapest first; the last is the accurate one.
    points : measured learning-curve points; with none the plan rests on the prior.
    law : what is known of the law, instead of `points` and `prior`.
    prior : of the law; None = that of the levels' kinds for a molecule of `TYPICAL_ATOMS`.
    absolute : whether the prior's scale is known, so that errors are told without points too.
    spent : of the budget, for the pilot and whatever else has been bought already.
    validation : accurate labels still to be bought for validation.
    minimum : accurate training labels the plan must reach, owned ones included.
    workers : labels that are computed at a time, for the wall time.
    unit : of `total` and prices, for the tables.
    show : writes an amount with its unit (see `Budget.format`); by default as it is, in `unit`.
    seed : of the law's draws.
    start : which accurate frames are drawn together with the cheap ones; the others are picked later.

    Raises
    ------
    UsageError
        where the budget does not pay for validation and the minimum, or the levels do not fit.

    Examples
    --------
    >>> best = plan(250, [PricedLevel("dft", 0.025), PricedLevel("ccsd(t)", 1.0)]).recommended
    >>> best.cost <= 250, best.bought[0] > 1000, best.bought[1] > 50
    (True, True, True)
    """
    _check(total, levels, spent, validation, minimum, workers)
    if law is None:
        known = prior or law_prior([level.kind for level in levels], TYPICAL_ATOMS)
        law = fit_law(points, known, seed=seed)
    elif law.levels != len(levels) - 1:
        raise UsageError(f"the law knows {law.levels} cheap levels, the plan has {len(levels) - 1}")
    validating = validation * (levels[-1].cost - levels[-1].companion)
    problem = SplitProblem(tuple(levels), total, spent + validating, minimum, law, start)
    if not problem.consistent:
        raise UsageError(
            f"the companion labels of {levels[-1].name} cost {levels[-1].companion:g}, the sum of the prices "
            f"of the cheaper levels is another; a frame takes one label of each"
        )
    if not problem.open:
        raise _too_small(problem, spent, validation, show or (lambda amount: f"{amount:.4g} {unit}".rstrip()))
    describe = _describer(problem, workers, absolute or law.points > 0)
    recommended = describe(problem, problem.best())
    return Plan(
        levels=tuple(level.name for level in levels),
        prices=tuple(level.cost for level in levels),
        owned=tuple(level.owned for level in levels),
        total=total,
        unit=unit,
        fixed=problem.fixed,
        validation=validation,
        basis="pilot" if law.points else "priors",
        points=law.points,
        recommended=recommended,
        table=_table(problem, recommended, describe),
        pareto=_pareto(problem, describe),
        scenarios=_scenarios(problem, describe),
        workers=workers,
        seed=seed,
        warnings=tuple(_warnings(problem, recommended, points)),
        companion=levels[-1].companion,
    )


def _table(problem: SplitProblem, recommended: Split, describe: Describe) -> tuple[Split, ...]:
    """Return accurate labels alone, then the recommended split and others, each set of labels once."""
    cheap, alone = range(len(problem.cheap)), problem.only_accurate()
    first = describe(alone, alone.best())
    others = {problem.mostly(row, share) for row in cheap for share in TABLE_SHARES}
    mixtures: dict[tuple[int, ...], Split] = {}
    for row in sorted(others):
        split = describe(problem, row)
        if any(split.labels[:-1]):
            mixtures.setdefault(split.labels, split)
    mixtures[recommended.labels] = recommended
    rows = sorted(mixtures.values(), key=lambda split: (-split.bought[-1], split.bought))
    return (first, *(split for split in rows if split != first))


def _too_small(
    problem: SplitProblem, spent: float, validation: int, show: Callable[[float], str]
) -> UsageError:
    least = problem.total - problem.spare
    fewer = ", or validate on fewer" if validation else ""
    return UsageError(
        f"a budget of {show(problem.total)} does not pay for {show(spent)} already spent, {validation} "
        f"validation and {problem.least} training labels of {problem.accurate.name}: raise it to at least "
        f"{show(least)}{fewer}"
    )


def _check(
    total: float, levels: Sequence[PricedLevel], spent: float, validation: int, minimum: int, workers: int
) -> None:
    if not levels or len({level.name for level in levels} - {""}) < len(levels):
        raise UsageError("a plan needs at least one level, each with a name of its own")
    if not (0 < total < inf and spent >= 0 and validation >= 0 and minimum >= 1 and workers >= 1):
        raise UsageError(
            "a plan needs a finite total > 0, spent and validation ≥ 0, minimum and workers ≥ 1, got "
            f"{total}, {spent}, {validation}, {minimum} and {workers}"
        )
    accurate = levels[-1]
    if any(level.cost > accurate.cost for level in levels):
        raise UsageError(f"the accurate level comes last and is the dearest, {accurate.name} is not")
    if accurate.limit + accurate.owned < minimum:
        raise UsageError(
            f"{accurate.name} has {accurate.owned} labels and {accurate.limit} frames for more, fewer than "
            f"the minimum of {minimum}: enlarge the pool or lower the minimum"
        )


def _limits(problem: SplitProblem, chosen: Split) -> list[str]:
    """Return what else than the budget decided the numbers: the largest set planned, levels of one price."""
    capped = [
        level
        for n, level in zip(chosen.labels, problem.levels, strict=True)
        if level.available is None and n == level.largest
    ]
    found = [
        f"no more than {level.largest} labels of {level.name} are planned, the largest set that can be "
        "trained on; what they leave of the budget goes to other levels or stays unspent"
        for level in capped
    ]
    accurate = problem.accurate
    alike = [level.name for level in problem.cheap if 0 < level.cost >= accurate.cost - accurate.companion]
    if alike:
        found.append(
            f"{', '.join(alike)}: a label costs no less than one of {accurate.name}, which is taken for the "
            "accurate level because it is named last; if it is not the accurate one name that last, if it "
            f"is leave {'them' if len(alike) > 1 else 'the other'} out"
        )
    return found


def _describer(base: SplitProblem, workers: int, absolute: bool) -> Describe:
    """Return what turns a purchase into a split, compared with the base budget's accurate labels."""
    standard = base.standard_errors()

    def describe(problem: SplitProblem, bought: Sequence[int]) -> Split:
        errors = problem.errors(bought)
        labels = problem.labels(bought)
        paid = [(n, level.seconds) for n, level in zip(labels, problem.levels, strict=True) if n]
        return Split(
            bought=tuple(bought),
            cost=problem.cost(bought) + problem.fixed,
            relative=interval(errors / standard),
            error=problem.predict(bought) if absolute else None,
            wall=_wall(paid, workers),
            labels=labels,
        )

    return describe


def _wall(paid: Sequence[tuple[int, float | None]], workers: int) -> float | None:
    """Return the s that labels of several levels take, the least that so many workers need.

    Parameters
    ----------
    paid : number of labels of each level that is bought, and the s that one takes; None = unknown.
    """
    known = [(n, each) for n, each in paid if each is not None]
    if len(known) < len(paid):
        return None
    return max([sum(n * each for n, each in known) / workers, *(each for _, each in known)])


def _pareto(problem: SplitProblem, describe: Describe) -> tuple[Split, ...]:
    """Return the best split of smaller and larger budgets: error against spend."""
    problems = [problem.with_total(share * problem.total) for share in PARETO_SHARES]
    return tuple(describe(other, other.best()) for other in problems if other.open)


def _scenarios(problem: SplitProblem, describe: Describe) -> tuple[Scenario, ...]:
    """Return what half and double the budget, and half and double each price, would change."""
    found = {f"without {level.name}": problem.without(row) for row, level in enumerate(problem.cheap)}
    found["half the budget"] = problem.with_total(problem.total / 2)
    found["double the budget"] = problem.with_total(2 * problem.total)
    for row, level in enumerate(problem.levels):
        if level.cost:
            found[f"{level.name} at half the price"] = problem.repriced(row, 0.5)
            found[f"{level.name} at double the price"] = problem.repriced(row, 2.0)
    return tuple(
        Scenario(name, describe(other, other.best()) if other.open else None) for name, other in found.items()
    )


def _warnings(problem: SplitProblem, chosen: Split, points: Sequence[CurvePoint]) -> list[str]:
    found = []
    if not problem.law.points:
        found.append(
            "expected errors rest on learning curves of other molecules, not on trainings of this one: take "
            "them for a guide and look at what the first rounds of `fidsel iterate` measure"
        )
    found += _worth(problem, chosen)
    measured = [point.labels for point in points if point.link.level == len(problem.cheap)]
    if measured and problem.trained(chosen.bought)[0] > FAR * max(measured):
        found.append(
            f"the plan has more than {FAR} times the accurate labels of the pilot: far extrapolation, so "
            "spend a part of the budget first and plan again with what it measured"
        )
    found += _limits(problem, chosen)
    sold_out = all(n == level.limit for n, level in zip(chosen.labels, problem.levels, strict=True))
    if sold_out and chosen.cost < problem.total * (1 - ROUNDING):
        found.append(
            f"the pool is used up: {1 - chosen.cost / problem.total:.0%} of the budget stay unspent, enlarge "
            "it (pool.frames, or a longer file)"
        )
    return found


def _worth(problem: SplitProblem, chosen: Split) -> list[str]:
    """Return which levels the plan would be as good without, else how sure the gain of all is."""
    n_lo = problem.trained(chosen.bought)[1]
    score = problem.score(chosen.bought)
    found = []
    for row in np.flatnonzero(n_lo).tolist():
        other = problem.without(row)
        left = float(np.exp(other.score(other.best()) - score))
        if left < WORTH:
            found.append(
                f"{problem.levels[row].name} is not worth its labels: without it the same money is expected "
                f"to give {left:.2f} × this error; leave the level out"
            )
    spread = chosen.relative
    if any(n_lo) and not found and spread.high >= 1:
        likely = (
            "More likely than not they do" if spread.median < 1 / WORTH else "Most likely they bring nothing"
        )
        found.append(
            f"cheap labels may not pay: the error is expected at {spread.median:.2f} × that of accurate "
            f"labels alone, 90 % interval {spread.low:.2f}–{spread.high:.2f}, which includes no gain (1.00). "
            f"{likely}; to be sure measure it (campaign.control = 'bought'), or leave the level out"
        )
    return found
