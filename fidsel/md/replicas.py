"""Many replicas of one molecule on a force field: every step is one batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from ase.data import atomic_masses
from ase.units import kB

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.md.langevin import Replicas, Surface, Thermostat, drift, kick, thermal
from fidsel.md.physical import Bonds, PhysicalRange, bonds_of
from fidsel.md.pool import check_within

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField


@dataclass(frozen=True, eq=False)
class ReplicaRun:
    """Langevin dynamics of k replicas; one that leaves the physical range starts anew in its place.

    Parameters
    ----------
    surface : energies and forces of a batch.
    numbers : (N,) atomic numbers.
    bonds : pairs that must stay bonded.
    starts : (k, N, 3) Å.
    temperatures : (k,) K.
    """

    surface: Surface
    numbers: IntArray
    bonds: Bonds
    starts: FloatArray
    temperatures: FloatArray
    thermostat: Thermostat
    limits: PhysicalRange

    @classmethod
    def of_model(
        cls,
        model: "ForceField",
        starts: Frames,
        temperatures: Sequence[float],
        thermostat: Thermostat,
        limits: PhysicalRange,
    ) -> Self:
        """Return one replica per starting frame, the temperatures taken in turn.

        Bonds are those that every starting frame has.

        Raises `UsageError` where the frames are not of the same atoms, or one is out of range itself.
        """
        numbers, positions = starts.dense()[:2]
        bonds = bonds_of(numbers, positions)
        check_within(limits.reasons(numbers, positions, bonds))
        return cls(
            surface=surface_of(model, starts),
            numbers=numbers,
            bonds=bonds,
            starts=positions,
            temperatures=np.resize(np.array(temperatures, dtype=np.float64), len(starts)),
            thermostat=thermostat,
            limits=limits,
        )

    def steps(self, rng: np.random.Generator) -> Iterator[tuple[Replicas, tuple[str, ...]]]:
        """Yield the state after each step, without end, and why a replica left in this step ("" = stays).

        A replica that left is already back at its start, with fresh velocities.
        """
        masses, kT = atomic_masses[self.numbers], np.asarray(kB * self.temperatures)
        energy, forces = self.surface(self.starts)
        state = Replicas(self.starts, thermal(masses, kT, rng), forces, energy)
        while True:
            moved = drift(state, masses, kT, self.thermostat, rng)
            left = self.limits.reasons(self.numbers, moved.positions, self.bonds)
            if any(left):
                gone = np.array(left, dtype=bool)[:, None, None]
                fresh = thermal(masses, kT, rng)
                moved = replace(
                    moved,
                    positions=np.where(gone, self.starts, moved.positions),
                    velocities=np.where(gone, fresh, moved.velocities),
                )
            state = kick(moved, masses, self.surface, self.thermostat)
            yield state, left


def surface_of(model: "ForceField", like: Frames) -> Surface:
    """Return the model's surface for batches of the atoms, charge and spin of `like`."""
    numbers, charge, spin = like.dense().numbers, int(like.charge[0]), int(like.spin[0])

    def surface(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        predicted = model.predict(Frames.stack(numbers, positions, charge=charge, spin=spin))
        return predicted.energy, predicted.forces.reshape(positions.shape)

    return surface
