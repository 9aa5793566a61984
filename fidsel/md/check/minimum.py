"""Relaxed geometry and harmonic frequencies of a molecule by any model or label source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase.build import minimize_rotation_and_translation
from ase.data import atomic_masses
from scipy.optimize import minimize

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.md.distances import angles_of, degrees
from fidsel.md.physical import Bonds, bonds_of
from fidsel.md.surface import Labelled, surface_of
from fidsel.md.vibrations import vibrations, wavenumbers
from fidsel.models.networks.base import NetworkForceField

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField, Surface

STEP = 0.005
"""Å, displacement of the finite differences of forces."""
LEFT = 5e-3
"""eV/Å; a geometry with a larger force left is not relaxed."""
FAR = 100.0
"""Å; where atoms move farther there is no minimum."""
GOAL = 1e-4
"""eV/Å, at which a relaxation ends."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """A relaxed molecule.

    Parameters
    ----------
    frame : the geometry.
    bonds : of the molecule before it was relaxed.
    frequencies : (m,) 1/cm, rising; imaginary ones are negative.
    force : eV/Å, largest component left.
    """

    frame: Frames
    bonds: Bonds
    frequencies: FloatArray
    force: float
    __repr__ = shown

    def compared(self, known: "Relaxed") -> dict[str, Any]:  # Any: plain values
        """Return how far this is from what another surface says, as plain values.

        Modes go by their rank from the highest; where one geometry alone is linear, its lowest is left out.
        """
        x = np.concatenate([self.frame.positions[None], known.frame.positions[None]])
        i, j = np.array(known.bonds, dtype=np.int64).reshape(-1, 2).T
        lengths = np.linalg.norm(x[:, i] - x[:, j], axis=-1)
        angles = degrees(x, angles_of(known.bonds))
        modes = min(len(self.frequencies), len(known.frequencies))
        highest = (own[len(own) - modes :] for own in (self.frequencies, known.frequencies))
        apart = np.subtract(*highest)
        return {
            "rmsd": _rmsd(self.frame, known.frame),
            "bond_mae": _mean(lengths[0] - lengths[1]),
            "angle_mae": _mean(angles[0] - angles[1]),
            "frequency_mae": _mean(apart),
            "frequency_max": float(np.abs(apart).max(initial=0)),
            "frequencies": self.frequencies.tolist(),
            "reference_frequencies": known.frequencies.tolist(),
            "force_left": self.force,
        }


def precise(model: "ForceField | Labelled") -> "ForceField | Labelled":
    """Return a network that computes in float64, anything else as it is."""
    return model.to(dtype=torch.float64) if isinstance(model, NetworkForceField) else model


def relaxed(model: "ForceField | Labelled", start: Frames) -> Relaxed:
    """Return the minimum next to a frame, and its harmonic frequencies by central differences of forces.

    Networks should be `precise`.

    Raises
    ------
    FidselError
        where no minimum is found, or a geometry next to it has no forces.
    """
    numbers, (x,) = start.dense()[:2]
    surface = surface_of(model, start)
    minimum, force = _minimise(surface, x)
    steps = STEP * np.eye(x.size).reshape(-1, *x.shape)
    moved = surface(np.concatenate([minimum + steps, minimum - steps]))[1].reshape(2, x.size, x.size)
    if lacking := np.count_nonzero(~np.isfinite(moved).all(axis=2)):
        raise FidselError(
            f"there are no frequencies: {lacking} of {2 * x.size} displaced geometries have no forces"
        )
    hessian = (moved[1] - moved[0]) / (2 * STEP)
    values, _ = vibrations((hessian + hessian.T) / 2, minimum, atomic_masses[numbers])
    bonds = bonds_of(numbers, x[None])
    return Relaxed(start.replace(positions=minimum), bonds, wavenumbers(values), force)


def _minimise(surface: "Surface", x: FloatArray) -> tuple[FloatArray, float]:
    def both(flat: FloatArray) -> tuple[float, FloatArray]:
        if not np.abs(flat - x.ravel()).max() < FAR:
            raise FidselError(f"no minimum was found: atoms move more than {FAR:g} Å without an end")
        (energy,), (forces,) = surface(flat.reshape(1, *x.shape))
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise FidselError("no minimum was found: a geometry on the way to it has no energy or no forces")
        return float(energy), -forces.ravel()

    found = minimize(both, x.ravel(), jac=True, method="BFGS", options={"gtol": GOAL, "maxiter": 1000})
    force = float(np.abs(both(found.x)[1]).max())
    if not force < LEFT:
        raise FidselError(
            f"no minimum was found: {force:.1e} eV/Å are left as the largest force after {found.nit} steps; "
            "start from another geometry, or train the model further"
        )
    return found.x.reshape(x.shape), force


def _rmsd(one: Frames, other: Frames) -> float:
    """Return the RMSD in Å of one configuration laid upon another."""
    here, there = one[0], other[0]
    minimize_rotation_and_translation(there, here)
    return float(np.sqrt(((here.positions - there.positions) ** 2).sum(axis=1).mean()))


def _mean(differences: FloatArray) -> float:
    return float(np.abs(differences).mean()) if differences.size else 0.0
