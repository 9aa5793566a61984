"""Fitting an sGDML expansion to forces: length scale and regularisation by validation error."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fidsel.models.sgdml_factor import kernel_panels
from fidsel.models.sgdml_fitted import Examples, Fitted, symmetric_pairs
from fidsel.models.sgdml_kernel import Expansion, describe, geometry
from fidsel.models.sgdml_solve import Solution, Solver, System, solve_exact

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
    solver: Solver,
) -> tuple[Fitted, dict[str, Any]]:
    """Return the fit with the lowest force RMSE on validation frames, and a record of the search.

    More frames than `SEARCH_ROWS` allows are searched on evenly spaced ones of them; then all are fitted
    with what was found.

    Parameters
    ----------
    sigmas, lams : length scales (1/Å) and regularisations to try; one of each means no search.
    refine : times the interval around the best σ is halved.
    solver : solves the system of all frames.
    """
    task, n = _Task(train, validation, numbers, permutations), len(train)
    way = solver.way(n * task.equations)
    rows, sigma, lam = 0, sigmas[0], lams[0]
    if len(sigmas) * len(lams) > 1:
        affordable = min(SEARCH_ROWS, int((solver.memory / SEARCH_BYTES) ** 0.5))
        rows = min(n, max(1, affordable // task.equations))
        found = task.search(rows, sigmas, lams, refine)
        sigma, lam = found.sigma, found.lam
    if rows < n or way == "iterative":
        system = System.of(geometry(train.positions, task.centre), train)
        found = task.weigh(train, sigma, lam, solver.solve(system, task.pairs, sigma, lam))
    return found.fitted.with_constant(), {
        "sigma": sigma,
        "lam": found.fitted.lam,
        "validation_force_rmse": found.rmse,
        "sigma_at_edge": len(sigmas) > 1 and sigma in (min(sigmas), max(sigmas)),
        "jitter": found.solution.jitter,
        "searched": rows,
        "tried": task.tried,
        "solver": found.solution.record,
    }


class Trial(NamedTuple):
    """A fit, with the λ that was asked for, and what it is worth."""

    rmse: float
    sigma: float
    lam: float
    fitted: Fitted
    solution: Solution


class _Task:
    """Fits to parts of one training set; pairs, centre and number of equations per frame are theirs."""

    def __init__(self, train: Examples, validation: Examples, numbers: Tensor, permutations: Tensor) -> None:
        self.train, self.validation, self.numbers, self.permutations = (
            train,
            validation,
            numbers,
            permutations,
        )
        self.pairs = symmetric_pairs(permutations)
        self.centre = describe(train.positions)[:, self.pairs].mean((0, 1))
        self.equations = min(self.pairs.shape[1], max(3 * len(numbers) - 6, 1))
        self.tried: list[dict[str, Any]] = []

    def search(self, n: int, sigmas: Sequence[float], lams: Sequence[float], refine: int) -> Trial:
        """Return the best fit to n evenly spaced frames."""
        spaced = torch.from_numpy(np.linspace(0, len(self.train) - 1, n).round().astype(np.int64))
        train = self.train[spaced]
        system = System.of(geometry(train.positions, self.centre), train)
        best: list[Trial] = []  # one at most: each holds a factor

        def error(sigma: float) -> float:
            panels, lowest = list(kernel_panels(system.frames, self.pairs, sigma)), np.inf
            for lam in lams:
                solution = solve_exact(system, lambda: (panel.clone() for panel in panels), lam)
                trial = self.weigh(train, sigma, lam, solution)
                best[:] = [min([*best, trial], key=lambda one: (one.rmse, one.sigma))]
                lowest = min(lowest, trial.rmse)
            return lowest

        grid_minimum(error, sigmas, refine)
        return best[0]

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
        rmse = _force_rmse(fitted.expansion(), self.validation)
        self.tried.append({"sigma": sigma, "lam": lam, "jitter": solution.jitter, "force_rmse": rmse})
        return Trial(rmse, sigma, lam, fitted, solution)


def grid_minimum(error: Callable[[float], float], grid: Sequence[float], refine: int) -> float:
    """Return where an error with one minimum is lowest: downhill on a grid, then between its points.

    Parameters
    ----------
    error : called once per point.
    grid : positive points; the walk starts in the middle.
    refine : times the two (geometric) midpoints beside the best point are tried.

    Examples
    --------
    >>> grid_minimum(lambda s: (s - 11) ** 2, [5, 10, 20, 40, 80], refine=0)
    10.0
    """
    points = sorted({float(point) for point in grid})
    known: dict[float, float] = {}

    def lowest(candidates: Sequence[float]) -> float:
        known.update({point: error(point) for point in candidates if point not in known})
        return min(candidates, key=lambda point: (known[point], point))

    best = points[len(points) // 2]
    while True:
        i = points.index(best)
        lower = lowest(points[max(i - 1, 0) : i + 2])
        if lower == best:
            break
        best = lower
    for _ in range(refine):
        i = points.index(best)
        near = points[max(i - 1, 0) : i + 2]
        between = [float(np.sqrt(a * b)) for a, b in pairwise(near)]
        points = sorted(points + between)
        best = lowest([best, *between])
    return best


def _force_rmse(expansion: Expansion, labelled: Examples) -> float:
    """Return the root mean square force error in eV/Å; NaN without frames."""
    if not len(labelled):
        return float("nan")
    return float((expansion(labelled.positions)[1] - labelled.forces).square().mean().sqrt())
