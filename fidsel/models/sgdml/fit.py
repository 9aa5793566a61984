"""Fitting an sGDML expansion to forces: length scale and regularisation by validation error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fidsel.models.sgdml.factor import IndefiniteError, kernel_panels
from fidsel.models.sgdml.fitted import Examples, Fitted, descriptor_symmetries
from fidsel.models.sgdml.kernel import Expansion, describe, geometry
from fidsel.models.sgdml.solve import Solution, Solver, System, Watched, solve_exact
from fidsel.models.watch import Task

SEARCH_ROWS = 10_000
"""Equations (frames × 3N − 6) up to which σ and λ are searched on all frames: some 10 s for each."""
SEARCH_BYTES = 12
"""Memory of the search per squared number of equations: lower halves of a matrix and of two factors."""


def fit_forces(
    train: Examples,
    validation: Examples,
    *,
    numbers: Tensor,
    permutations: Tensor,
    sigmas: Sequence[float],
    lams: Sequence[float],
    refine: int,
    widen: int = 0,
    solver: Solver,
    task: Task,
) -> tuple[Fitted, dict[str, Any]]:
    """Return the fit with the lowest force RMSE on validation frames, and a record of the search.

    More frames than `SEARCH_ROWS` allows are searched on evenly spaced ones of them; then all are fitted
    with what was found.

    Parameters
    ----------
    sigmas, lams : length scales (1/Å) and regularisations to try; one of each means no search.
    refine : times the interval around the best σ is halved.
    widen : most points added beyond an edge of the grid where the best σ lies there.
    solver : solves the system of all frames.
    task : hears how far it is, and keeps what was tried, and an iteration.
    """
    fits, n = _Fits(train, validation, numbers, permutations, task), len(train)
    kept = task.load()
    fits.tried = [] if kept is None else kept[0]["tried"]
    way = solver.way(n * fits.equations)
    rows, sigma, lam, found = 0, sigmas[0], lams[0], None
    if len(sigmas) * len(lams) > 1:
        affordable = min(SEARCH_ROWS, int((solver.memory / SEARCH_BYTES) ** 0.5))
        rows = min(n, max(1, affordable // fits.equations))
        sigma, lam, found = fits.search(rows, Grid(sigmas, refine, widen), lams)
    searched, again = [one["sigma"] for one in fits.tried], rows < n or way == "iterative"
    if found is None or again:
        system = System.of(geometry(train.positions, fits.centre), train)
        iteration = None if kept is None or "iteration" not in kept[0] else (kept[0]["iteration"], kept[1])
        course = Watched(task, {"tried": list(fits.tried)}, iteration)
        found = fits.weigh(train, sigma, lam, solver.solve(system, fits.symmetries, sigma, lam, course))
        if again:
            fits.note(found)
    return found.fitted.with_constant(), {
        "sigma": sigma,
        "lam": found.fitted.lam,
        "validation_force_rmse": found.rmse,
        "sigma_at_edge": len(set(searched)) > 1 and sigma in (min(searched), max(searched)),
        "jitter": found.solution.jitter,
        "searched": rows,
        "tried": fits.tried,
        "solver": found.solution.record,
    }


class Trial(NamedTuple):
    """A fit, with the λ that was asked for, and what it is worth."""

    rmse: float
    sigma: float
    lam: float
    fitted: Fitted
    solution: Solution


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
        self.tried: list[dict[str, Any]] = []

    def search(self, n: int, grid: "Grid", lams: Sequence[float]) -> tuple[float, float, Trial | None]:
        """Return the σ and λ that are best on n evenly spaced frames, with the fit where it is at hand."""
        spaced = torch.from_numpy(np.linspace(0, len(self.train) - 1, n).round().astype(np.int64))
        train = self.train[spaced]
        system = System.of(geometry(train.positions, self.centre), train)
        best: list[Trial] = []  # one at most: each holds a factor

        def error(sigma: float) -> float:
            known = [_error(one) for one in self.tried if one["sigma"] == sigma]
            if known:  # before this training was killed
                return min(known)
            lowest = self._try(system, train, sigma, lams, best)
            done = self._widths()
            self.task.tell(done, max(grid.size, done + 1), "widths", min(map(_error, self.tried)))
            return lowest

        grid.minimum(error)
        self.task.tell(self._widths(), self._widths(), "widths")
        lowest = min(self.tried, key=lambda one: (_error(one), one["sigma"]))
        if _error(lowest) == inf:
            raise IndefiniteError(lowest["failed"])
        at_hand = [one for one in best if (one.sigma, one.lam) == (lowest["sigma"], lowest["lam"])]
        return lowest["sigma"], lowest["lam"], at_hand[0] if at_hand else None

    def _widths(self) -> int:
        """Return how many σ have been tried."""
        return len({one["sigma"] for one in self.tried})

    def _try(
        self, system: System, train: Examples, sigma: float, lams: Sequence[float], best: list[Trial]
    ) -> float:
        """Return the lowest error at one σ; the best fit so far takes its place in the list."""
        panels = list(kernel_panels(system.frames, self.symmetries, sigma))
        for lam in lams:
            try:
                solution = solve_exact(system, lambda: (panel.clone() for panel in panels), lam)
            except IndefiniteError as error:
                self.tried.append({"sigma": sigma, "lam": lam, "force_rmse": None, "failed": str(error)})
                continue
            trial = self.weigh(train, sigma, lam, solution)
            self.note(trial)
            best[:] = [min([*best, trial], key=lambda one: (one.rmse, one.sigma))]
        if self.task.due():
            self.task.save({"tried": self.tried}, {})
        return min(_error(one) for one in self.tried if one["sigma"] == sigma)

    def weigh(self, train: Examples, sigma: float, lam: float, solution: Solution) -> Trial:
        """Return the fit that a solution is, with its validation error."""
        fitted = Fitted(
            self.numbers,
            self.permutations,
            train,
            solution.v,
            self.centre,
            sigma,
            lam * solution.jitter,
            solved=solution.solved,
        )
        return Trial(_force_rmse(fitted.expansion(), self.validation), sigma, lam, fitted, solution)

    def note(self, trial: Trial) -> None:
        """Add a fit to those that were tried."""
        jitter = trial.solution.jitter
        self.tried.append(
            {"sigma": trial.sigma, "lam": trial.lam, "jitter": jitter, "force_rmse": trial.rmse}
        )


def _error(tried: Mapping[str, Any]) -> float:
    """Return the error of a σ and λ that were tried; infinite where the matrix had no factor."""
    return inf if tried["force_rmse"] is None else float(tried["force_rmse"])


@dataclass(frozen=True)
class Grid:
    """Where the minimum of an error is looked for.

    The error may have several minima (of the residual of aspirin, with 50 labels, one is at σ = 2.5 and the
    lowest at 160), so all points are looked at.

    Parameters
    ----------
    points : positive.
    refine : times the two (geometric) midpoints beside the best point are tried.
    widen : most points that are added beyond an edge, in the ratio of the two points there, as long as the
        best point is at the edge.

    Examples
    --------
    >>> Grid([5, 10, 20, 40, 80], refine=0).minimum(lambda s: (s - 11) ** 2)
    10.0
    >>> Grid([5, 10, 20], refine=0, widen=3).minimum(lambda s: (s - 100) ** 2)
    80.0
    """

    points: Sequence[float]
    refine: int
    widen: int = 0

    @property
    def size(self) -> int:
        """How many points are looked at, as long as the best is not at an edge."""
        return len(set(self.points)) + 2 * self.refine

    def minimum(self, error: Callable[[float], float]) -> float:
        """Return where an error is lowest, of equal ones the smallest; `error` is called once per point."""
        points = sorted({float(point) for point in self.points})
        known = {point: error(point) for point in points}

        def lowest() -> float:
            return min(known, key=lambda point: (known[point], point))

        for _ in range(self.widen if len(points) > 1 else 0):
            if lowest() not in (points[0], points[-1]):
                break
            low = lowest() == points[0]
            edge, inner = (points[0], points[1]) if low else (points[-1], points[-2])
            points = sorted([*points, edge * edge / inner])
            known[edge * edge / inner] = error(edge * edge / inner)
        for _ in range(self.refine):
            i = points.index(lowest())
            between = [float(np.sqrt(a * b)) for a, b in pairwise(points[max(i - 1, 0) : i + 2])]
            points = sorted(points + between)
            known.update({point: error(point) for point in between})
        return lowest()


def _force_rmse(expansion: Expansion, labelled: Examples) -> float:
    """Return the root mean square force error in eV/Å; NaN without frames."""
    if not len(labelled):
        return float("nan")
    return float((expansion(labelled.positions)[1] - labelled.forces).square().mean().sqrt())
