"""Fitting an sGDML expansion to forces: length scale, regularisation and metric by what they leave wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fidsel.exceptions import UsageError
from fidsel.models.sgdml.factor import IndefiniteError, kernel_panels
from fidsel.models.sgdml.fitted import Examples, Fitted, descriptor_symmetries
from fidsel.models.sgdml.grid import Grid
from fidsel.models.sgdml.kernel import Expansion, Geometry, describe, geometry
from fidsel.models.sgdml.leave_one_out import LeftOut
from fidsel.models.sgdml.metric import LEAST, METRICS, STEPS, Evaluation, MetricProblem, learn_metric
from fidsel.models.sgdml.solve import Solution, Solver, System, Watched, solve_exact
from fidsel.models.watch import Task

SEARCH_ROWS = 10_000
"""Equations (frames × 3N − 6) up to which σ and λ are searched on all frames: some 10 s for each."""
SEARCH_BYTES = 12
"""Memory of the search per squared number of equations: lower halves of a matrix and of two factors."""
FEW = 20
"""Validation frames below which leave-one-out errors of training frames choose with them."""
INVERSE_ROWS, INVERSE_BYTES = 4000, 36
"""The same where they do: they take the inverse matrix."""
NEAR = 2.0
"""Ratio of the three σ that are tried first with a learnt metric, around the one it was learnt with."""
TINY = 1e-300
"""Least error that has a logarithm."""
WIDEN = 4
"""Times a grid of σ, the built-in one or that of a learnt metric, is widened at an edge."""


@dataclass(frozen=True)
class Search:
    """What is tried.

    Parameters
    ----------
    sigmas, lams : length scales (1/Å) and regularisations; one of each means no search.
    refine : times the interval around the best σ is halved.
    widen : most points added beyond an edge of the grid where the best σ lies there.
    metric : "learnt" to try a learnt metric, too, each with the σ that are around its best.
    """

    sigmas: Sequence[float]
    lams: Sequence[float]
    refine: int
    widen: int = 0
    metric: str = "identity"

    @property
    def open(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.sigmas) * len(self.lams) > 1


def fit_forces(
    train: Examples,
    validation: Examples,
    *,
    numbers: Tensor,
    permutations: Tensor,
    search: Search,
    solver: Solver,
    task: Task,
) -> tuple[Fitted, dict[str, Any]]:
    """Return the fit that leaves least wrong, and a record of the search.

    Fits are judged by the force RMSE on validation frames; where these are fewer than `FEW`, by its product
    with the geometric mean of the training frames' leave-one-out errors. More frames than can be searched
    on are searched on evenly spaced ones of them; then all are fitted with what was found.

    Parameters
    ----------
    solver : solves the system of all frames.
    task : hears how far it is, and keeps what was tried, and an iteration.

    Raises
    ------
    UsageError
        for a choice by no validation frame and one training frame.
    """
    fits, n = _Fits(train, validation, numbers, permutations, task), len(train)
    if search.open and n < 2 and not len(validation):
        raise UsageError(
            "choosing sigma or lam needs validation frames, or two different training frames, which are left "
            "out in turn; got one: give one of each, or frames"
        )
    kept = task.load()
    if kept is not None:
        fits.tried, fits.evaluations = kept[0]["tried"], kept[0]["evaluations"]
    rows, sigma, lam, found = 0, search.sigmas[0], search.lams[0], None
    if search.open:
        rows = min(n, max(1, fits.affordable(solver.memory) // fits.equations))
        sigma, lam, found = fits.search(rows, search)
    searched = [one["sigma"] for one in fits.tried if one["metric"] == fits.metric]
    again = rows < n or solver.way(n * fits.equations) == "iterative"
    if found is None or again:
        system = System.of(fits.geometry(train), train)
        iteration = None if kept is None or "iteration" not in kept[0] else (kept[0]["iteration"], kept[1])
        course = Watched(task, fits.kept(), iteration)
        found = fits.weigh(train, sigma, lam, solver.solve(system, fits.symmetries, sigma, lam, course))
        if again:
            fits.note(found)
    return found.fitted.with_constant(), {
        "sigma": sigma,
        "lam": found.fitted.lam,
        "metric": fits.metric,
        "validation_force_rmse": found.rmse,
        "jitter": found.solution.jitter,
        "searched": rows,
        "tried": fits.tried,
        "solver": found.solution.record,
    } | _edge(sigma, searched)


def _edge(sigma: float, searched: Sequence[float]) -> dict[str, Any]:
    """Return whether the best σ is the last one that was tried, and a warning where it is."""
    if len(set(searched)) < 2 or min(searched) < sigma < max(searched):
        return {"sigma_at_edge": False}
    side, more = ("largest", "larger") if sigma == max(searched) else ("smallest", "smaller")
    return {
        "sigma_at_edge": True,
        "warning": f"the best σ of a kernel, {sigma:.4g} 1/Å, is the {side} that was tried, and a {more} one "
        "may be better: give sigmas (in a configuration: model.sigmas) that go further",
    }


class Trial(NamedTuple):
    """A fit, with the λ that was asked for, its validation error in eV/Å, and what it is chosen by."""

    rmse: float
    sigma: float
    lam: float
    fitted: Fitted
    solution: Solution
    score: float = inf


class _Fits:
    """Fits to parts of one training set; symmetries, centre and number of equations per frame are theirs."""

    def __init__(
        self, train: Examples, validation: Examples, numbers: Tensor, permutations: Tensor, task: Task
    ) -> None:
        self.train, self.validation, self.task = train, validation, task
        self.numbers, self.permutations = numbers, permutations
        self.symmetries = descriptor_symmetries(permutations)
        self.centre = describe(train.positions)[:, self.symmetries].mean((0, 1))
        self.equations = min(self.symmetries.shape[1], max(3 * len(numbers) - 6, 1))
        self.metric, self.weights = "identity", torch.ones_like(self.centre)
        self.tried: list[dict[str, Any]] = []
        self.evaluations: list[Evaluation] = []
        self._few = len(validation) < FEW
        self._best: Trial | None = None  # of those of this run; it holds a factor

    def affordable(self, memory: float) -> int:
        """Return how many equations can be searched on."""
        most, size = (INVERSE_ROWS, INVERSE_BYTES) if self._few else (SEARCH_ROWS, SEARCH_BYTES)
        return min(most, int((memory / size) ** 0.5))

    def kept(self) -> dict[str, Any]:
        """Return what a search that is stopped goes on from."""
        return {"tried": list(self.tried), "evaluations": list(self.evaluations)}

    def geometry(self, some: Examples) -> Geometry:
        """Return frames in the space of the present metric."""
        return geometry(some.positions, self.centre, self.weights)

    def search(self, n: int, search: Search) -> tuple[float, float, Trial | None]:
        """Return the best σ and λ on n evenly spaced frames, with the fit where it is at hand.

        The metric that belongs to them becomes the present one.
        """
        train = self.train.spaced(n)
        self._look(train, Grid(search.sigmas, search.refine, search.widen), search.lams)
        lowest = self._lowest(("identity",))
        problem = MetricProblem.of(train, self.symmetries, self.centre, lowest["sigma"], lowest["lam"])
        # one weight alone is a length scale
        if search.metric == "learnt" and n >= LEAST and problem.classes > 1:
            identity = self.weights
            learnt, sigma = learn_metric(problem, self.evaluations, self._after_evaluation)
            self.metric, self.weights = "learnt", learnt
            self._look(train, Grid((sigma / NEAR, sigma, sigma * NEAR), search.refine, WIDEN), search.lams)
            lowest = self._lowest(METRICS)
            self.metric = lowest["metric"]
            self.weights = learnt if self.metric == "learnt" else identity
        self.task.tell(self._widths(), self._widths(), "widths")
        best = self._best if self._best is not None and self._best.score == lowest["score"] else None
        return lowest["sigma"], lowest["lam"], best

    def _look(self, train: Examples, grid: Grid, lams: Sequence[float]) -> None:
        """Try a grid of σ with the present metric."""
        system = System.of(self.geometry(train), train)

        def score(sigma: float) -> float:
            asked = (self.metric, sigma)
            known = [_score(one) for one in self.tried if (one["metric"], one["sigma"]) == asked]
            if known:  # before this training was killed
                return min(known)
            lowest = self._try(system, train, sigma, lams)
            done = self._widths()
            self.task.tell(done, max(grid.size, done + 1), "widths", exp(min(map(_score, self.tried))))
            return lowest

        grid.minimum(score)

    def _after_evaluation(self) -> None:
        if self.task.due():
            self.task.save(self.kept(), {})
        done = len(self.evaluations)
        self.task.tell(done, max(STEPS, done + 1), "weightings", exp(self.evaluations[-1][0]))

    def _lowest(self, metrics: Sequence[str]) -> dict[str, Any]:
        """Return the best of what was tried with some metrics."""
        tried = [one for one in self.tried if one["metric"] in metrics]
        lowest = min(tried, key=lambda one: (_score(one), one["sigma"]))
        if _score(lowest) == inf:
            raise IndefiniteError(lowest["failed"])
        return lowest

    def _widths(self) -> int:
        """Return how many σ have been tried."""
        return len({(one["metric"], one["sigma"]) for one in self.tried})

    def _try(self, system: System, train: Examples, sigma: float, lams: Sequence[float]) -> float:
        """Return the lowest score at one σ; the best fit is kept."""
        panels, scores = list(kernel_panels(system.frames, self.symmetries, sigma)), []
        for lam in lams:
            try:
                solution = solve_exact(system, lambda: (panel.clone() for panel in panels), lam)
            except IndefiniteError as error:
                failed = {"force_rmse": None, "score": None, "failed": str(error)}
                self.tried.append({"sigma": sigma, "lam": lam, "metric": self.metric} | failed)
                continue
            trial = self.weigh(train, sigma, lam, solution)
            scores.append(self._judge(trial, system))
            trial = trial._replace(score=scores[-1])
            self.note(trial)
            if self._best is None or trial.score < self._best.score:
                self._best = trial
        if self.task.due():
            self.task.save(self.kept(), {})
        return min(scores, default=inf)

    def _judge(self, trial: Trial, system: System) -> float:
        """Return what a fit is chosen by: the logarithm of an error or a product of errors."""
        score = log(max(trial.rmse, TINY)) if len(self.validation) else 0.0
        if not self._few or trial.solution.solved is None:
            return score
        inverse = trial.solution.solved.lower.inverse()
        return score + LeftOut(inverse, system.targets, trial.fitted.train.weights).log_error

    def weigh(self, train: Examples, sigma: float, lam: float, solution: Solution) -> Trial:
        """Return the fit that a solution is, with its validation error."""
        fitted = Fitted(
            self.numbers,
            self.permutations,
            train,
            solution.v,
            self.centre,
            self.weights,
            sigma,
            lam * solution.jitter,
            solved=solution.solved,
        )
        return Trial(_force_rmse(fitted.expansion(), self.validation), sigma, lam, fitted, solution)

    def note(self, trial: Trial) -> None:
        """Add a fit to those that were tried."""
        facts = {"sigma": trial.sigma, "lam": trial.lam, "metric": self.metric}
        score = None if trial.score == inf else trial.score
        found = {"jitter": trial.solution.jitter, "force_rmse": trial.rmse, "score": score}
        self.tried.append(facts | found)


def _score(tried: Mapping[str, Any]) -> float:
    """Return the score of what was tried; infinite where the matrix had no factor."""
    return inf if tried["score"] is None else float(tried["score"])


def _force_rmse(expansion: Expansion, labelled: Examples) -> float:
    """Return the root mean square force error in eV/Å; NaN without frames."""
    if not len(labelled):
        return float("nan")
    return float((expansion(labelled.positions)[1] - labelled.forces).square().mean().sqrt())
