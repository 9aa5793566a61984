"""Langevin dynamics: of an OpenMM System, and of many replicas of any force field as one batch."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from ase.units import fs, kJ, mol

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.sources.openmm import OpenMMSource, reference_context

Surface = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Positions (k, N, 3) Å to energies (k,) eV and forces (k, N, 3) eV/Å."""


@dataclass(frozen=True)
class Thermostat:
    """Time step and coupling of Langevin dynamics.

    Parameters
    ----------
    timestep : fs.
    friction : 1/fs; 0.01 forgets velocities in 100 fs, which explores fast.
    """

    timestep: float = 0.5
    friction: float = 0.01

    def __post_init__(self) -> None:
        if not (self.timestep > 0 and self.friction > 0):
            raise UsageError(
                f"timestep and friction must be positive, got {self.timestep} fs and {self.friction} 1/fs"
            )


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

    ========== =========== ======================================
    field      shape       unit
    ========== =========== ======================================
    positions  (k, N, 3)   Å
    velocities (k, N, 3)   Å per ASE time unit (Å·√(u/eV))
    forces     (k, N, 3)   eV/Å
    energy     (k,)        eV
    ========== =========== ======================================
    """

    positions: FloatArray
    velocities: FloatArray
    forces: FloatArray
    energy: FloatArray


def drift(
    state: Replicas, masses: FloatArray, kT: FloatArray, thermostat: Thermostat, rng: np.random.Generator
) -> Replicas:
    """Return replicas after the first four letters of a BAOAB step; forces are then out of date.

    B: v ← v + h/2·F/m.  A: x ← x + h/2·v.  O: v ← c·v + √((1 − c²)·kT/m)·ξ with c = exp(−γh).
    A again; the closing B is `kick`, with new forces (Leimkuhler and Matthews, J. Chem. Phys. 2013,
    138, 174102, DOI 10.1063/1.4802990).

    Parameters
    ----------
    state : k replicas.
    masses : (N,) u.
    kT : (k,) eV.
    thermostat : h and γ.
    rng : draws ξ.
    """
    h, m = thermostat.timestep * fs, masses[:, None]
    c = np.exp(-thermostat.friction * thermostat.timestep)
    velocities = state.velocities + h / 2 * state.forces / m
    positions = state.positions + h / 2 * velocities
    velocities = c * velocities + np.sqrt(1 - c * c) * thermal(masses, kT, rng)
    return replace(state, positions=positions + h / 2 * velocities, velocities=velocities)


def kick(state: Replicas, masses: FloatArray, surface: Surface, thermostat: Thermostat) -> Replicas:
    """Return replicas after the last letter of a BAOAB step: new forces, and B."""
    energy, forces = surface(state.positions)
    velocities = state.velocities + thermostat.timestep * fs / 2 * forces / masses[:, None]
    return Replicas(state.positions, velocities, forces, energy)


def thermal(masses: FloatArray, kT: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return (k, N, 3) Maxwell–Boltzmann velocities for masses (N,) u and kT (k,) eV."""
    width = np.sqrt(kT[:, None] / masses)
    return width[..., None] * rng.normal(size=(*width.shape, 3))
