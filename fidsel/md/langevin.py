"""Langevin dynamics: of an OpenMM System, and of many replicas of any force field as one batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from ase.units import fs, kJ, mol

from fidsel.arguments import Bound, NonNegativeFloat, PositiveFloat, check_arguments
from fidsel.arrays import BoolArray, FloatArray, IntArray, shown
from fidsel.exceptions import UsageError
from fidsel.fidelity.sources.openmm import OpenMMSource, reference_context

if TYPE_CHECKING:
    from fidsel.models.contract import Surface


@dataclass(frozen=True)
class Thermostat:
    """Time step and coupling of Langevin dynamics.

    Parameters
    ----------
    timestep : fs.
    friction : 1/fs; 0.01 forgets velocities in 100 fs, which explores fast. 0 = no bath: NVE by velocity
        Verlet, which a BAOAB step then is.
    """

    timestep: PositiveFloat = 0.5
    friction: NonNegativeFloat = 0.01

    def __post_init__(self) -> None:
        check_arguments(self, " of dynamics")


def check_request(frames: int, temperatures: Sequence[float]) -> None:
    """Raise `UsageError` unless the number of frames and the temperatures can be."""
    Bound(ge=1).require("the number of frames", frames, whole=True)
    if not len(temperatures):
        raise UsageError("temperatures must be positive and at least one, got none")
    for temperature in temperatures:
        Bound(gt=0).require("each of the temperatures", temperature)


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Equally spaced frames of one trajectory.

    ========== =========== ======
    field      shape       unit
    ========== =========== ======
    positions  (n, N, 3)   Å
    energy     (n,)        eV
    ========== =========== ======
    """

    positions: FloatArray
    energy: FloatArray

    def __len__(self) -> int:
        return len(self.energy)

    def __add__(self, other: "Snapshots") -> "Snapshots":
        return Snapshots(
            np.concatenate([self.positions, other.positions]), np.concatenate([self.energy, other.energy])
        )

    def head(self, n: int) -> "Snapshots":
        """Return the first `n`."""
        return Snapshots(self.positions[:n], self.energy[:n])


class OpenMMRun:
    """One trajectory of an OpenMM source, continued call by call; same seed, same trajectory.

    OpenMM's LangevinMiddle integrator on the Reference platform: double precision and one thread,
    for small molecules also the fastest (ethanol: 15 µs per step, the CPU platform 60 µs).

    Parameters
    ----------
    source : the energy surface; not periodic.
    start : (N, 3) Å.
    temperature : K.
    seed : of velocities and noise, 1 to 2³¹ − 1.
    """

    def __init__(
        self,
        source: OpenMMSource,
        start: FloatArray,
        temperature: float,
        seed: int,
        thermostat: Thermostat,
    ) -> None:
        import openmm

        system = source.system()
        if system.usesPeriodicBoundaryConditions():
            raise UsageError("pools are sampled for molecules, got a periodic OpenMM System")
        integrator = openmm.LangevinMiddleIntegrator(
            temperature, thermostat.friction * 1000, thermostat.timestep / 1000
        )
        integrator.setRandomNumberSeed(seed)
        self._context = reference_context(system, integrator)
        self._context.setPositions(start / 10)
        self._context.setVelocitiesToTemperature(temperature, seed)
        self._integrator = integrator

    def advance(self, steps: int) -> None:
        """Run without keeping anything."""
        self._integrator.step(steps)

    def snapshots(self, n: int, every: int) -> Snapshots:
        """Return the next `n` frames, `every` steps apart; fewer where the trajectory blows up."""
        import openmm

        positions, energy = [], []
        for _ in range(n):
            try:
                self._integrator.step(every)
                state = self._context.getState(getPositions=True, getEnergy=True)
            except openmm.OpenMMException:
                break  # "Particle coordinate is NaN": what was before it stands
            positions.append(state.getPositions(asNumpy=True)._value * 10)
            energy.append(state.getPotentialEnergy()._value * (kJ / mol))
        shape = (len(energy), self._context.getSystem().getNumParticles(), 3)
        return Snapshots(np.array(positions).reshape(shape), np.array(energy, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Replicas:
    """State of k replicas of one molecule.

    ========== =========== ====================================================================
    field      shape       unit, meaning
    ========== =========== ====================================================================
    rows       (k,)        which replicas of the run these are
    positions  (k, N, 3)   Å
    velocities (k, N, 3)   Å per ASE time unit (Å·√(u/eV))
    forces     (k, N, 3)   eV/Å
    energy     (k,)        eV
    given      (k,)        eV, total energy at the start and what the bath has given since
    step       ()          time steps so far
    ========== =========== ====================================================================
    """

    rows: IntArray
    positions: FloatArray
    velocities: FloatArray
    forces: FloatArray
    energy: FloatArray
    given: FloatArray
    step: int = 0
    __repr__ = shown

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: BoolArray) -> "Replicas":
        """Return some of the replicas."""
        arrays = {name: getattr(self, name)[chosen] for name in ARRAYS}
        return replace(self, **arrays)

    def kinetic(self, masses: FloatArray) -> FloatArray:
        """Return (k,) kinetic energies, eV, for masses (N,) u."""
        return _kinetic(self.velocities, masses)

    def loss(self, masses: FloatArray) -> FloatArray:
        """Return (k,) eV that the integrator has added to the energy, in error; for masses (N,) u."""
        return self.energy + self.kinetic(masses) - self.given


ARRAYS = ("rows", "positions", "velocities", "forces", "energy", "given")
"""Fields of `Replicas` with a row for each replica."""


def drift(
    state: Replicas, masses: FloatArray, kT: FloatArray, thermostat: Thermostat, noise: FloatArray | None
) -> Replicas:
    """Return replicas after the first four letters of a BAOAB step; forces are then out of date.

    B: v ← v + h/2·F/m.  A: x ← x + h/2·v.  O: v ← c·v + √((1 − c²)·kT/m)·ξ with c = exp(−γh).
    A again; the closing B is `kick`, with new forces (Leimkuhler and Matthews, J. Chem. Phys. 2013,
    138, 174102, DOI 10.1063/1.4802990). The kinetic energy that O adds is given by the bath; all else is
    conserved as by velocity Verlet.

    Parameters
    ----------
    state : k replicas.
    masses : (N,) u.
    kT : (k,) eV.
    thermostat : h and γ.
    noise : (k, N, 3) ξ, standard normal; None = no bath, O is left out.
    """
    h, m = thermostat.timestep * fs, masses[:, None]
    velocities = state.velocities + h / 2 * state.forces / m
    positions = state.positions + h / 2 * velocities
    given = state.given
    if noise is not None:
        before, c = _kinetic(velocities, masses), np.exp(-thermostat.friction * thermostat.timestep)
        velocities = c * velocities + np.sqrt(1 - c * c) * _widths(masses, kT) * noise
        given = given + _kinetic(velocities, masses) - before
    positions = positions + h / 2 * velocities
    return replace(state, positions=positions, velocities=velocities, given=given, step=state.step + 1)


def kick(state: Replicas, masses: FloatArray, surface: "Surface", thermostat: Thermostat) -> Replicas:
    """Return replicas after the last letter of a BAOAB step: new forces, and B."""
    energy, forces = surface(state.positions)
    velocities = state.velocities + thermostat.timestep * fs / 2 * forces / masses[:, None]
    return replace(state, velocities=velocities, forces=forces, energy=energy)


def thermal(masses: FloatArray, kT: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return (k, N, 3) Maxwell–Boltzmann velocities for masses (N,) u and kT (k,) eV."""
    return _widths(masses, kT) * rng.normal(size=(len(kT), len(masses), 3))


def at_rest(positions: FloatArray, velocities: FloatArray, masses: FloatArray) -> FloatArray:
    """Return (k, N, 3) velocities without those of the whole molecule: neither drift nor rotation.

    Parameters
    ----------
    positions : (k, N, 3) Å.
    velocities : (k, N, 3).
    masses : (N,) u.
    """
    share = masses[:, None] / masses.sum()
    x = positions - (share * positions).sum(axis=1, keepdims=True)
    v = velocities - (share * velocities).sum(axis=1, keepdims=True)
    momentum = np.cross(x, masses[:, None] * v).sum(axis=1)
    square = np.einsum("n,kna,kna->k", masses, x, x)
    inertia = square[:, None, None] * np.eye(3) - np.einsum("n,kna,knb->kab", masses, x, x)
    # the pseudo-inverse: about its axis a linear molecule has no moment of inertia
    spin = np.einsum("kab,kb->ka", np.linalg.pinv(inertia, rcond=1e-9, hermitian=True), momentum)
    return np.asarray(v - np.cross(spin[:, None], x))


def _widths(masses: FloatArray, kT: FloatArray) -> FloatArray:
    return np.sqrt(kT[:, None] / masses)[..., None]


def _kinetic(velocities: FloatArray, masses: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.einsum("n,kna,kna->k", masses, velocities, velocities))
