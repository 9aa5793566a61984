"""Many replicas of one molecule on a force field: every step is one batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from ase.data import atomic_masses
from ase.units import kB

from fidsel.arrays import BoolArray, FloatArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.md.bonding import Bonding
from fidsel.md.dynamics.stops import NO_DOUBT, UNCERTAIN, Exit, Stops, exits
from fidsel.md.langevin import Replicas, Thermostat, at_rest, drift, kick, thermal
from fidsel.md.physical import check_within
from fidsel.md.surface import surface_of

if TYPE_CHECKING:
    from fidsel.fidelity.source import LabelSource
    from fidsel.models.contract import ForceField, Surface


@dataclass(frozen=True, eq=False)
class ReplicaRun:
    """Dynamics of k replicas: Langevin, or NVE without friction.

    A replica that ends leaves the batch, or starts anew in its place. The noise of one does not depend on
    whether others have ended.

    Parameters
    ----------
    surface : energies and forces of a batch.
    frames : one start for each replica.
    bonds : pairs that must stay bonded, of each replica.
    temperatures : (k,) K.
    model : asked how sure it is, where `stops.doubt` says so; None = it is never asked.
    anew : whether a replica that ends starts anew.
    """

    surface: "Surface"
    frames: Frames
    bonds: Bonding
    temperatures: FloatArray
    thermostat: Thermostat
    stops: Stops
    model: "ForceField | None" = None
    anew: bool = False

    @classmethod
    def of_model(
        cls,
        model: "ForceField | LabelSource",
        starts: Frames,
        temperatures: Sequence[float],
        thermostat: Thermostat,
        stops: Stops,
        *,
        anew: bool = False,
    ) -> Self:
        """Return one replica per starting frame, the temperatures taken in turn.

        Bonds are those of each starting frame, see `Bonding`.

        Raises `UsageError` where the frames are not of the same atoms, or one is out of range itself, and
        where the model cannot say how sure it is.
        """
        from fidsel.models.contract import ForceField

        numbers, positions = starts.dense()[:2]
        bonds = Bonding.of_starts(numbers, positions)
        check_within(bonds.reasons(stops.limits, numbers, positions, np.arange(len(starts))))
        own = model if isinstance(model, ForceField) else None
        if own is not None:
            stops.doubt.require(own)
        elif stops.doubt != NO_DOUBT:
            raise UsageError(
                "a label source has no doubt of its own: leave limits of uncertainty out, or the source"
            )
        return cls(
            surface=surface_of(model, starts),
            frames=starts,
            bonds=bonds,
            temperatures=np.resize(np.array(temperatures, dtype=np.float64), len(starts)),
            thermostat=thermostat,
            stops=stops,
            model=own,
            anew=anew,
        )

    @cached_property
    def starts(self) -> FloatArray:
        """(k, N, 3) Å."""
        return self.frames.dense().positions

    @cached_property
    def masses(self) -> FloatArray:
        """(N,) u."""
        return np.asarray(atomic_masses[self.frames.dense().numbers])

    @property
    def thermal_energy(self) -> FloatArray:
        """(k,) kT, eV."""
        return np.asarray(kB * self.temperatures)

    @cached_property
    def labels(self) -> tuple[FloatArray, FloatArray]:
        """Energies (k,) eV and forces (k, N, 3) eV/Å of the starts.

        Raises `FidselError` where the model has none.
        """
        energy, forces = self.surface(self.starts)
        if bad := np.flatnonzero(~(np.isfinite(energy) & np.isfinite(forces).all(axis=(1, 2)))).tolist():
            raise FidselError(
                f"the model gives no finite energy and forces for {len(bad)} of {len(energy)} starts, the "
                f"first being start {bad[0]}: dynamics need a model that knows its starts"
            )
        return energy, forces

    def tried(self) -> Self:
        """Return the run, once the model has given the `labels` of its starts.

        Raises what the model does for frames that it cannot treat, and `FidselError` as `labels` does.
        """
        _ = self.labels
        return self

    def begin(self, rng: np.random.Generator) -> Replicas:
        """Return the starts with velocities drawn at their temperatures.

        Without a bath, the molecule as a whole neither moves nor turns.
        """
        energy, forces = self.labels
        velocities = self._velocities(rng)
        given = self._total(velocities, energy)
        return Replicas(np.arange(len(energy)), self.starts, velocities, forces, energy, given)

    def step(self, state: Replicas, rng: np.random.Generator) -> tuple[Replicas, tuple[Exit, ...]]:
        """Return the state one time step later, and the replicas that have ended in it.

        Replicas out of the physical range are taken out before the model is asked for their forces.
        """
        bath = self.thermostat.friction > 0
        noise = rng.normal(size=self.starts.shape)[state.rows] if bath else None
        state = drift(state, self.masses, self.thermal_energy[state.rows], self.thermostat, noise)
        numbers = self.frames.dense().numbers
        reasons = self.bonds.reasons(self.stops.limits, numbers, state.positions, state.rows)
        left = exits(state, {i: (reason, "") for i, reason in enumerate(reasons) if reason})
        state = self._without(state, left, rng)
        if len(state) == 0:
            return state, left
        state = kick(state, self.masses, self.surface, self.thermostat)
        ended = exits(state, self._ended(state))
        return self._without(state, ended, rng), left + ended

    def _ended(self, state: Replicas) -> dict[int, tuple[str, str]]:
        """Return the rows that have blown up or that the model is unsure of, with cause and detail."""
        found = self.stops.blown_up(state, self.masses, self.thermal_energy[state.rows])
        doubt = self.stops.doubt
        if self.model is None or state.step % doubt.every:
            return found
        unsure = doubt.of(self.model, self.as_frames(state))
        return {i: (UNCERTAIN, detail) for i, detail in unsure} | found

    def as_frames(self, state: Replicas) -> Frames:
        """Return the positions of a state, without labels."""
        return self.frames[state.rows].replace(positions=state.positions.reshape(-1, 3))

    def _without(self, state: Replicas, left: Sequence[Exit], rng: np.random.Generator) -> Replicas:
        """Return the replicas that go on, and where they start anew, those too."""
        if not left:
            return state
        gone: BoolArray = np.isin(state.rows, [one.replica for one in left])
        if not self.anew:
            return state[~gone]
        fresh = self._velocities(rng)
        energy, forces = self.labels
        first = {
            "positions": self.starts,
            "velocities": fresh,
            "forces": forces,
            "energy": energy,
            "given": self._total(fresh, energy),
        }
        arrays = {}
        for name, value in first.items():
            arrays[name] = getattr(state, name).copy()
            arrays[name][gone] = value[state.rows[gone]]
        return replace(state, **arrays)

    def _velocities(self, rng: np.random.Generator) -> FloatArray:
        drawn = thermal(self.masses, self.thermal_energy, rng)
        return drawn if self.thermostat.friction > 0 else at_rest(self.starts, drawn, self.masses)

    def _total(self, velocities: FloatArray, energy: FloatArray) -> FloatArray:
        kinetic: FloatArray = 0.5 * np.einsum("n,kna,kna->k", self.masses, velocities, velocities)
        return energy + kinetic
