"""Frames an sGDML model can learn from: what must hold, and the tensors they become."""

import numpy as np
import torch
from ase.data import chemical_symbols

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.require import (
    Electrons,
    blaming,
    require_distances,
    require_finite,
    require_molecules,
)
from fidsel.models.sgdml.fitted import Examples

SHOWN = 24
"""Atoms of a molecule that messages name in their order."""


def check_training(train: Frames, validation: Frames) -> None:
    """Raise where frames have nothing to learn from, or are not one molecule in one state."""
    if not len(train):
        raise UsageError("sGDML needs training frames, got none")
    if train.offsets[1] < 2:
        raise UsageError("sGDML describes a molecule by its pair distances: it needs two atoms or more")
    for what, frames in (("training", train), ("validation", validation)):
        with blaming(f"{what} frames"):
            check_labelled(frames, train.numbers[: train.offsets[1]])
    Electrons.of(train + validation, "sGDML")


def check_labelled(frames: Frames, numbers: IntArray) -> None:
    """Raise where frames are not one molecule (numbers) in one state, its atoms apart, with forces."""
    require_molecule(frames, numbers)
    if len(frames):
        Electrons.of(frames, "sGDML")
    require_finite(frames)
    require_distances(frames)
    missing = int((~frames.has_forces).sum())
    if missing:
        raise UsageError(
            f"sGDML learns from forces: {missing} of {len(frames)} frames have none. Label them with "
            "forces, leave them out (frames[frames.has_forces] in Python), or train a network "
            "(kind = 'painn') on energies alone (rho = 1 of the stage)"
        )


def require_molecule(frames: Frames, numbers: IntArray) -> None:
    """Raise where frames are periodic or not the molecule with these atoms in this order."""
    require_molecules(frames, "sGDML")
    n, size = len(frames), len(numbers)
    same = len(frames.numbers) == n * size and (frames.sizes == size).all()
    if not same or (frames.numbers.reshape(n, size) != numbers).any():
        other = next(own for own in _each_numbers(frames) if not np.array_equal(own, numbers))
        if np.array_equal(np.sort(other), np.sort(numbers)):
            raise UsageError(
                f"sGDML treats one molecule, atoms in one order: {_symbols(numbers)}, got {_symbols(other)}: "
                "reorder the atoms, or use a network (kind = 'painn'), to which their order is all the same"
            )
        raise UsageError(
            f"sGDML treats one molecule, atoms in one order: {_symbols(numbers)}, got "
            f"{', '.join(list(frames.composition())[:5])}: fit one model per molecule, or use a network "
            "(kind = 'painn')"
        )


def _each_numbers(frames: Frames) -> list[IntArray]:
    return np.split(frames.numbers, frames.offsets[1:-1])


def _symbols(numbers: IntArray) -> str:
    """Return the elements of atoms in their order, of many only the first."""
    shown = " ".join(chemical_symbols[z] for z in numbers[:SHOWN].tolist())
    return shown + " ..." * (len(numbers) > SHOWN)


def one_level(frames: Frames) -> str:
    """Return the level of theory of frames, which must have one."""
    levels = set(frames.level.tolist())
    if len(levels) > 1:
        raise UsageError(f"training frames must have one level of theory, got {', '.join(sorted(levels))}")
    return str(levels.pop())


def check_weights(weights: FloatArray | None, n: int) -> FloatArray:
    """Return the weights of n frames as an array, whatever sequence they are; 1 where none are given."""
    if weights is None:
        return np.ones(n)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise UsageError(f"weights must be {n} numbers ≥ 0, not all 0, got shape {weights.shape}")
    return weights


def labelled(frames: Frames, weights: FloatArray, size: int, device: str) -> Examples:
    """Return frames of a molecule of some size as tensors on a device."""
    shape = (len(frames), size, 3)
    arrays = (frames.positions.reshape(shape), frames.forces.reshape(shape), frames.energy, weights)
    return Examples(*(torch.tensor(array, dtype=torch.float64, device=device) for array in arrays))
