"""From labelled frames of one molecule to what is learnt: weights, symmetries, and frames that are alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.models.require import Electrons
from fidsel.models.sgdml.fitted import Fitted, distinct
from fidsel.models.sgdml.frames import check_labelled, check_weights, labelled
from fidsel.models.sgdml.search.fit import Search, fit_forces
from fidsel.models.sgdml.solver.solve import Solver
from fidsel.models.sgdml.symmetry import symmetry_group
from fidsel.models.sgdml.update import update_forces
from fidsel.models.watch import Task


def fit_frames(
    train: Frames,
    validation: Frames,
    weights: FloatArray | None,
    *,
    symmetries: bool | Sequence[Sequence[int]],
    max_perms: int,
    search: Search,
    solver: Solver,
    device: str,
    task: Task,
) -> tuple[Fitted, dict[str, Any]]:
    """Return what was learnt from checked frames, and a record of the fit; see `SGDML.fit`.

    Frames of weight 0 are left out, and of those that are equal up to motion and symmetry all but the first.
    """
    numbers = train.dense().numbers
    solver = solver.beside(len(train), len(numbers))
    seen = np.concatenate([train.positions, validation.positions]).reshape(-1, len(numbers), 3)
    permutations, symmetry = symmetry_group(symmetries, numbers, seen, max_perms)
    importance = check_weights(weights, len(train))
    importance = importance / importance.mean()
    there = torch.tensor(permutations, device=device)
    wanted = np.flatnonzero(importance > 0)
    different = distinct(positions_of(train[wanted], len(numbers), device), there)
    keep = wanted[different.cpu().numpy()]
    fitted, record = fit_forces(
        labelled(train[keep], importance[keep], len(numbers), device),
        labelled(validation, np.ones(len(validation)), len(numbers), device),
        numbers=torch.tensor(numbers, device=device),
        permutations=there,
        search=search,
        solver=solver,
        task=task,
    )
    fitted = replace(fitted, electrons=Electrons.of(train, "sGDML"))
    record |= fitted.counts() | {"left_out": len(train) - len(keep)}
    return fitted, record | {"permutations": len(permutations), "symmetry": symmetry}


def add_frames(
    fitted: Fitted, frames: Frames, weights: FloatArray | None, solver: Solver, device: str
) -> tuple[Fitted, dict[str, Any]]:
    """Return what was learnt with frames beside those of before, and a record; see `SGDML.update`.

    Frames of weight 0 are left out, and those that equal one learnt before or an earlier one.
    """
    importance = check_weights(weights, len(frames)) if len(frames) else np.ones(0)
    check_labelled(frames, fitted.numbers.cpu().numpy())
    atoms = len(fitted.numbers)
    wanted = np.flatnonzero(importance > 0)
    fresh = labelled(frames[wanted], importance[wanted], atoms, device)
    both = torch.cat([fitted.train.positions, fresh.positions])
    different = distinct(both, fitted.permutations)[len(fitted.train) :]
    solver = solver.beside(len(fitted.train) + len(fresh), atoms)
    updated, record = update_forces(fitted, fresh[different], solver)
    added = int(different.sum())
    return updated, record | updated.counts() | {"left_out": len(frames) - added, "added": added}


def positions_of(frames: Frames, atoms: int, device: str) -> Tensor:
    """Return the positions of frames of one molecule, (n, atoms, 3)."""
    positions = frames.positions.reshape(len(frames), atoms, 3)
    return torch.tensor(positions, dtype=torch.float64, device=device)
