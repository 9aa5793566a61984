"""Fitting an sGDML expansion to forces: σ, ν, λ and metric by what they leave wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, inf, log
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fidsel.exceptions import UsageError
from fidsel.models.sgdml.factor import IndefiniteError, kernel_panels
from fidsel.models.sgdml.fitted import Examples, Fitted, descriptor_symmetries
from fidsel.models.sgdml.kernel import Expansion, Geometry, describe, geometry
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.search.grid import Grid
from fidsel.models.sgdml.search.leave_one_out import LeftOut
from fidsel.models.sgdml.search.metric import LEAST, STEPS, Evaluation, MetricProblem, learn_metric
from fidsel.models.sgdml.solver.solve import Solution, Solver, System, Watched, solve_exact
from fidsel.models.watch import Task

COARSE_ROWS, SEARCH_ROWS = 2000, 6000
"""Equations (frames × 3N − 6) up to which the first and the last part of a search take all frames: a fit
takes some tenths of a second and some 3 s."""
SEARCH_BYTES = 12
"""Memory of the search per squared number of equations: lower halves of a matrix and of two factors."""
FEW = 20
"""Validation frames below which leave-one-out errors of training frames choose with them."""
SOME, SOME_ROWS = 100, 2500
"""The same where that takes no more than this many equations: in eight fits to 60 to 100 frames of
formaldehyde, malonaldehyde and ethanol it lowered test errors by 0 to 6 %, for 1.5 times the time."""
INVERSE_ROWS, INVERSE_BYTES = 4000, 36
"""The same where they do: they take the inverse matrix."""
ENOUGH = 0.01
"""Gain of a step of the search, in the logarithm of the error, below which it is not gone on from there."""
NEAR = 2.0
"""Ratio of the three σ that are tried first with another ν or metric, around the best one."""
TINY = 1e-300
"""Least error that has a logarithm."""
EXPECTED = 30
"""Fits of a usual search, for whoever waits."""
WIDEN = 4
"""Times a grid of σ, the built-in one or one around the best, is widened at an edge."""


@dataclass(frozen=True)
class Search:
    """What is tried.

    Parameters
    ----------
    sigmas : length scales, 1/Å.
    lams : regularisations, rising; one of them and one σ mean no search.
    refine : times the interval around the best σ is halved in the end.
    widen : most points added beyond an edge of the grid where the best σ lies there.
    nus : smoothnesses, rising.
    metric : "learnt" to try a learnt metric, too.
    """

    sigmas: Sequence[float]
    lams: Sequence[float]
    refine: int
    widen: int = 0
    nus: Sequence[float] = (2.5,)
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

    Fits are judged by the force RMSE on validation frames; where these are few (`FEW`, `SOME`), by its
    product with the geometric mean of the training frames' leave-one-out errors. More frames than can be
    searched on are searched on evenly spaced ones of them; then all are fitted with what was found.

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
    rows, matern, lam, found = 0, Matern(search.sigmas[0], search.nus[0]), search.lams[0], None
    if search.open:
        rows = min(n, max(1, fits.affordable(solver.memory) // fits.equations))
        matern, lam, found = fits.search(rows, search)
    searched = [one["sigma"] for one in fits.tried if (one["metric"], one["nu"]) == (fits.metric, matern.nu)]
    again = rows < n or solver.way(n * fits.equations) == "iterative"
    if found is None or again:
        system = fits.system(train)
        iteration = None if kept is None or "iteration" not in kept[0] else (kept[0]["iteration"], kept[1])
        course = Watched(task, fits.kept(), iteration)
        found = fits.weigh(train, matern, lam, solver.solve(system, fits.symmetries, matern, lam, course))
        if again:
            fits.note(found)
    return found.fitted.with_constant(), {
        "sigma": matern.sigma,
        "nu": matern.nu,
        "lam": found.fitted.lam,
        "metric": fits.metric,
        "validation_force_rmse": found.rmse,
        "jitter": found.solution.jitter,
        "searched": rows,
        "tried": fits.tried,
        "solver": found.solution.record,
    } | _edge(matern.sigma, searched)


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
        quick = len(train) * self.equations <= SOME_ROWS
        self._few = len(validation) < (SOME if quick else FEW)
        self._systems: dict[tuple[int, str], System] = {}
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

    def search(self, n: int, search: Search) -> tuple[Matern, float, Trial | None]:
        """Return the best σ, ν and λ on n evenly spaced frames, with the fit where it is at hand.

        The metric that belongs to them becomes the present one.
        """
        train, lam = self.train.spaced(n), search.lams[(len(search.lams) - 1) // 2]
        some = train.spaced(max(LEAST, COARSE_ROWS // self.equations))
        self._look(some, search.nus[0], lam, Grid(search.sigmas, 0, search.widen))
        if search.metric == "learnt" and n >= LEAST:
            self._walk(some, search.nus, (lam,))
            self._choose_metric(some, train, lam)
        self._walk(some, search.nus, search.lams)
        if len(some) < len(train):
            lowest = self._lowest(some)
            self._look(train, lowest["nu"], lowest["lam"], _around(lowest["sigma"]))
            self._walk(train, search.nus, search.lams)
        lowest = self._lowest(train)
        alike = [one["sigma"] for one in self.tried if _but_sigma(one) == _but_sigma(lowest)]
        self._look(train, lowest["nu"], lowest["lam"], Grid(alike, search.refine))
        lowest = self._lowest(train)
        self.task.tell(len(self.tried), len(self.tried), "fits")
        best = self._best if self._best is not None and self._best.score == lowest["score"] else None
        return Matern(lowest["sigma"], lowest["nu"]), lowest["lam"], best

    def _choose_metric(self, some: Examples, train: Examples, lam: float) -> None:
        """Learn a metric from many frames, and make it the present one where some are learnt better by it."""
        lowest = self._lowest(some)
        matern = Matern(lowest["sigma"], lowest["nu"])
        problem = MetricProblem.of(train, self.symmetries, self.centre, matern, lam)
        if problem.classes == 1:  # one weight alone is a length scale
            return
        identity = self.weights
        self.weights, sigma = learn_metric(problem, self.evaluations, self._after_evaluation)
        self.metric = "learnt"
        self._look(some, matern.nu, lam, _around(sigma))
        if _score(self._lowest(some)) >= _score(lowest):
            self.metric, self.weights = "identity", identity

    def _walk(self, train: Examples, nus: Sequence[float], lams: Sequence[float]) -> None:
        """Try ν and λ next to the best ones with the present metric, until none of them brings much."""
        lowest = self._lowest(train)
        while True:
            tried = {(one["nu"], one["lam"]) for one in self._tried(train)}
            near = [(nu, lowest["lam"]) for nu in _beside(nus, lowest["nu"])]
            near += [(lowest["nu"], lam) for lam in _beside(lams, lowest["lam"])]
            fresh = [pair for pair in near if pair not in tried]
            if not fresh:
                return
            self._look(train, *fresh[0], _around(lowest["sigma"]))
            if _score(self._lowest(train)) < _score(lowest) - ENOUGH:
                lowest = self._lowest(train)

    def _look(self, train: Examples, nu: float, lam: float, grid: Grid) -> None:
        """Try a grid of σ with the present metric."""
        system = self.system(train)

        def score(sigma: float) -> float:
            facts = self._facts(len(train), Matern(sigma, nu), lam)
            known = [_score(one) for one in self.tried if facts.items() <= one.items()]
            if known:  # also before this training was killed
                return known[0]
            found = self._try(system, train, Matern(sigma, nu), lam)
            done = len(self.tried)
            lowest = min(map(_score, self._tried(train)))
            self.task.tell(done, max(EXPECTED, done + 1), "fits", exp(lowest))
            return found

        grid.minimum(score)

    def system(self, train: Examples) -> System:
        """Return the equations of some frames with the present metric, which are made once."""
        asked = (len(train), self.metric)
        if asked not in self._systems:
            self._systems[asked] = System.of(self.geometry(train), train)
        return self._systems[asked]

    def _after_evaluation(self) -> None:
        if self.task.due():
            self.task.save(self.kept(), {})
        done = len(self.evaluations)
        self.task.tell(done, max(STEPS, done + 1), "weightings", exp(self.evaluations[-1][0]))

    def _tried(self, train: Examples) -> list[dict[str, Any]]:
        """Return what was tried with some frames and the present metric."""
        present = (len(train), self.metric)
        return [one for one in self.tried if (one["frames"], one["metric"]) == present]

    def _lowest(self, train: Examples) -> dict[str, Any]:
        """Return the best of it."""
        lowest = min(self._tried(train), key=lambda one: (_score(one), one["sigma"]))
        if _score(lowest) == inf:
            raise IndefiniteError(lowest["failed"])
        return lowest

    def _try(self, system: System, train: Examples, matern: Matern, lam: float) -> float:
        """Return the score of a fit; the best fit is kept."""
        try:
            solution = solve_exact(system, lambda: kernel_panels(system.frames, self.symmetries, matern), lam)
        except IndefiniteError as error:
            failed = {"force_rmse": None, "score": None, "failed": str(error)}
            self.tried.append(self._facts(len(train), matern, lam) | failed)
            return inf
        trial = self.weigh(train, matern, lam, solution)
        trial = trial._replace(score=self._judge(trial, system))
        self.note(trial)
        if self._best is None or trial.score < self._best.score:
            self._best = trial
        if self.task.due():
            self.task.save(self.kept(), {})
        return trial.score

    def _judge(self, trial: Trial, system: System) -> float:
        """Return what a fit is chosen by: the logarithm of an error or a product of errors."""
        score = log(max(trial.rmse, TINY)) if len(self.validation) else 0.0
        if not self._few or trial.solution.solved is None:
            return score
        inverse = trial.solution.solved.lower.inverse()
        return score + LeftOut(inverse, system.targets, trial.fitted.train.weights).log_error

    def weigh(self, train: Examples, matern: Matern, lam: float, solution: Solution) -> Trial:
        """Return the fit that a solution is, with its validation error."""
        fitted = Fitted(
            self.numbers,
            self.permutations,
            train,
            solution.v,
            self.centre,
            self.weights,
            matern,
            lam * solution.jitter,
            solved=solution.solved,
        )
        return Trial(_force_rmse(fitted.expansion(), self.validation), lam, fitted, solution)

    def note(self, trial: Trial) -> None:
        """Add a fit to those that were tried."""
        facts = self._facts(len(trial.fitted.train), trial.fitted.matern, trial.lam)
        score = None if trial.score == inf else trial.score
        found = {"jitter": trial.solution.jitter, "force_rmse": trial.rmse, "score": score}
        self.tried.append(facts | found)

    def _facts(self, frames: int, matern: Matern, lam: float) -> dict[str, Any]:
        return {"frames": frames, "metric": self.metric, "lam": lam} | asdict(matern)


def _around(sigma: float) -> Grid:
    """Return a grid of σ around a good one."""
    return Grid((sigma / NEAR, sigma, sigma * NEAR), 0, WIDEN)


def _but_sigma(tried: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what was tried, whatever its σ."""
    return tuple(tried[name] for name in ("frames", "metric", "nu", "lam"))


def _beside(values: Sequence[float], value: float) -> list[float]:
    """Return the neighbours of one of some sorted values, the larger first."""
    place = values.index(value)
    return [*values[place + 1 : place + 2], *values[max(0, place - 1) : place]]


def _score(tried: Mapping[str, Any]) -> float:
    """Return the score of what was tried; infinite where the matrix had no factor."""
    return inf if tried["score"] is None else float(tried["score"])


def _force_rmse(expansion: Expansion, labelled: Examples) -> float:
    """Return the root mean square force error in eV/Å; NaN without frames."""
    if not len(labelled):
        return float("nan")
    return float((expansion(labelled.positions)[1] - labelled.forces).square().mean().sqrt())
