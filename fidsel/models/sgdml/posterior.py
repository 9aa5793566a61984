"""What an exact sGDML fit knows of its errors: posterior covariance, and errors at frames left out."""

from dataclasses import replace

import torch
from torch import Tensor

from fidsel.exceptions import UsageError
from fidsel.models.sgdml.factor import factorise, kernel_panels
from fidsel.models.sgdml.fitted import Fitted, Solved, descriptor_symmetries
from fidsel.models.sgdml.kernel import Geometry, kernel
from fidsel.models.sgdml.search.leave_one_out import LeftOut
from fidsel.models.sgdml.solver.solve import Solver, System


def factorised(fitted: Fitted, solver: Solver) -> Solved:
    """Return the factorised matrix of a fit, made anew where the fit does not hold it.

    Raises
    ------
    UsageError
        where the fit is not exact, or its factor does not fit into memory.
    """
    if fitted.solved is not None:
        return fitted.solved
    frames, symmetries = fitted.geometry(fitted.train.positions), descriptor_symmetries(fitted.permutations)
    system = System.of(frames, fitted.train)
    # what is quick without a factor may still have one
    able = replace(solver, kind="auto") if solver.kind == "quick" else solver
    if able.way(len(system.targets)) == "iterative":
        raise UsageError("a covariance needs a model fitted with solver = 'exact', got an iterative one")
    noise = fitted.lam * system.noise
    return Solved(frames, factorise(lambda: kernel_panels(frames, symmetries, fitted.matern), noise)[0])


def force_covariance(fitted: Fitted, solved: Solved, left: Tensor, right: Tensor) -> Tensor:
    """Return C = K_lr − K_lt (K_tt + λ/w)⁻¹ K_tr of the forces at two sets of frames, t the training frames.

    Parameters
    ----------
    left, right : (n, N, 3) and (k, N, 3) Å.

    Returns
    -------
    (n·3N, k·3N) eV²/Å², for a prior with the kernel as it is, see `signal_variance`.
    """
    symmetries = descriptor_symmetries(fitted.permutations)
    here = fitted.geometry(left)
    there = here if right is left else fitted.geometry(right)
    known = [
        solved.lower.divided(kernel(some, solved.frames, symmetries, fitted.matern))
        for some in ((here,) if there is here else (here, there))
    ]
    reduced = kernel(here, there, symmetries, fitted.matern).addmm_(known[0], known[-1].mT, alpha=-1)
    return _cartesian(here, _cartesian(there, reduced.mT).mT)


def leave_one_out_rmse(fitted: Fitted, solved: Solved) -> float:
    """Return the force RMSE, eV/Å, at training frames of fits to all the others."""
    targets = System.of(solved.frames, fitted.train).targets
    residuals = LeftOut(solved.lower.inverse(), targets, fitted.train.weights).residuals
    # the reduced bases hold all of the forces but what moves or turns the molecule as a whole
    return float((residuals.square().sum(1) / (3 * len(fitted.numbers))).mean().sqrt())


def signal_variance(fitted: Fitted, solved: Solved) -> float:
    """Return the factor of the kernel under which the training forces are likeliest, tᵀ(K + λ/w)⁻¹t / M."""
    targets = System.of(solved.frames, fitted.train).targets
    return float(solved.lower.divided(targets.unsqueeze(0)).square().mean())


def _cartesian(frames: Geometry, rows: Tensor) -> Tensor:
    """Return (n·3N, k) rows from those in the reduced bases (n·m, k)."""
    return torch.matmul(frames.basis, rows.reshape(len(frames), frames.width, rows.shape[1])).flatten(0, 1)
