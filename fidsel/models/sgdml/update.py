"""Adding frames to a fitted sGDML model at fixed σ, ν, λ, centre, metric and symmetries."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from fidsel.models.sgdml.factor import extend, kernel_panels
from fidsel.models.sgdml.fitted import Examples, Fitted, descriptor_symmetries
from fidsel.models.sgdml.solver.solve import Solution, Solver, System, solution_of


def update_forces(fitted: Fitted, fresh: Examples, solver: Solver) -> tuple[Fitted, dict[str, Any]]:
    """Return the fit to the training frames and fresh ones together, and a record.

    The factor of the present frames is grown by the rows of the fresh ones, which costs as much as
    a new fit costs more than the old one. Everything is fitted anew where there is no factor, where
    it cannot be grown, or where the system is too large to be solved exactly.

    Parameters
    ----------
    fresh : none of them equal to a training frame or to each other.
    """
    if not len(fresh):
        return fitted, {"lam": fitted.lam, "jitter": 1.0, "refit": "", "solver": {}}
    train, symmetries = fitted.train + fresh, descriptor_symmetries(fitted.permutations)
    known = fitted.solved.frames if fitted.solved else fitted.geometry(fitted.train.positions)
    system = System.of(known + fitted.geometry(fresh.positions), train)
    grown, refit = _grow(fitted, system, symmetries, solver)
    solution = grown or solver.solve(system, symmetries, fitted.matern, fitted.lam)
    new = replace(fitted, train=train, v=solution.v, lam=fitted.lam * solution.jitter, solved=solution.solved)
    record = {"lam": new.lam, "jitter": solution.jitter, "refit": refit, "solver": solution.record}
    return new.with_constant(), record


def _grow(fitted: Fitted, system: System, symmetries: Tensor, solver: Solver) -> tuple[Solution | None, str]:
    """Return the solution by the grown factor, or why there is none."""
    if solver.way(len(system.targets)) == "iterative":
        return None, "iterative"
    if fitted.solved is None:
        return None, "no factor"
    panels = kernel_panels(system.frames, symmetries, fitted.matern, start=len(fitted.train))
    lower = extend(fitted.solved.lower, panels, fitted.lam * system.noise)
    return (None, "ill-conditioned") if lower is None else (solution_of(system, lower, 1.0), "")
