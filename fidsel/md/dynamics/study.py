"""How long dynamics last: models, molecules and time steps, each with all its replicas at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fidsel.arguments import NonNegativeFloat, PositiveFloat, PositiveInt, check_arguments
from fidsel.arrays import shown
from fidsel.data import Frames
from fidsel.data.alike import alike
from fidsel.exceptions import UsageError
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.samples import Samples
from fidsel.md.dynamics.simulation import Simulation, Tell, simulate, unheard
from fidsel.md.dynamics.stops import ClusterBounds, Stops
from fidsel.md.langevin import Thermostat
from fidsel.md.physical import PhysicalRange
from fidsel.models.checkpoints import Checkpoints, digest, model_digest
from fidsel.models.contract import ForceField

if TYPE_CHECKING:
    from fidsel.fidelity.source import LabelSource

Maker = Callable[[Frames], "ForceField | LabelSource"]
"""Makes a model, or a label source, for the molecule of some frames."""
STOPS = Stops(limits=PhysicalRange(transfer=True))
"""Of models: a hydrogen may change partners."""
NO_BOUNDS: Mapping[str, ClusterBounds] = {}
RELIABLE = 0.95
"""Fraction of replicas that must survive at a time step for it to count as stable."""


@dataclass(frozen=True)
class Protocol:
    """What each replica does.

    Parameters
    ----------
    time : fs; the last step may end after it.
    timesteps : fs, each tried with all replicas.
    temperatures : K, shared out over the replicas in turn.
    friction : 1/fs; 0 = NVE.
    replicas : of each molecule; None = one for each starting frame.
    every : time steps between two samples.
    stops : what ends a replica.
    cautious : whether a model's doubt ends a replica by the usual limits, where `stops` has none.
    """

    time: PositiveFloat = 1000.0
    timesteps: Sequence[PositiveFloat] = (0.5,)
    temperatures: Sequence[PositiveFloat] = (300.0,)
    friction: NonNegativeFloat = 0.01
    replicas: PositiveInt | None = None
    every: PositiveInt = 20
    stops: Stops = STOPS
    cautious: bool = False

    def __post_init__(self) -> None:
        check_arguments(self, " of dynamics")
        if not self.timesteps or not self.temperatures or max(self.timesteps) > self.time:
            raise UsageError(
                "dynamics need temperatures and time steps, at least one of each, and a time of one step at "
                f"least, got {self.temperatures} K, {self.timesteps} fs and {self.time} fs"
            )


@dataclass(frozen=True, eq=False)
class Study:
    """Which models hold which molecules together, and up to which time step.

    Parameters
    ----------
    simulations : in the order of models, molecules and time steps.
    notes : what the caller should know, as sentences.
    """

    simulations: tuple[Simulation, ...]
    notes: tuple[str, ...] = ()
    __repr__ = shown

    def largest_step(self) -> dict[str, float | None]:
        """Return the largest time step, fs, of each model at which at least `RELIABLE` of replicas survive.

        All smaller ones of the study must be survived, too, by every molecule; None where none is.
        """
        found: dict[str, float | None] = {}
        for one in sorted(self.simulations, key=lambda one: one.run.thermostat.timestep):
            found.setdefault(one.model, None)
        for model in found:
            own = [one for one in self.simulations if one.model == model]
            for timestep in sorted({one.run.thermostat.timestep for one in own}):
                here = [one for one in own if one.run.thermostat.timestep == timestep]
                if min(one.survived for one in here) < RELIABLE:
                    break
                found[model] = timestep
        return found

    def candidates(self) -> Frames | None:
        """Return all frames that a model was unsure of, None where there are none."""
        found = [frames for one in self.simulations if (frames := one.candidates()) is not None]
        return sum(found[1:], found[0]) if found else None

    def to_dict(self) -> dict[str, Any]:  # Any: plain values
        """Return plain values."""
        return {
            "largest_stable_step_fs": self.largest_step(),
            "runs": [one.to_dict() for one in self.simulations],
            "notes": list(self.notes),
        }


def study(
    models: Mapping[str, Maker],
    starts: Frames,
    protocol: Protocol,
    seed: int,
    folder: Path,
    *,
    tells: Callable[[str], Tell] = lambda _: unheard,
    every: float = 5.0,
    most: int | None = None,
    bounds: Mapping[str, ClusterBounds] = NO_BOUNDS,
) -> Study:
    """Run dynamics of every model on every molecule with every time step.

    Replicas of one molecule are one batch. Every model is tried on every start before the first run. What is
    in `folder` of the same study, killed before, goes on.

    Parameters
    ----------
    models : by name; label sources run one frame after the other.
    starts : frames of one or several molecules: the first ones are taken, again and again where there are
        fewer than replicas.
    seed : of velocities and noise, the same for every model.
    folder : holds samples and checkpoints while this runs, and after; the caller removes it.
    tells : makes what hears how far a run is, from its name.
    every : seconds between two checkpoints, at least.
    most : bytes that all samples may take on disk, beyond which they are thinned out, and a study that is
        killed does not go on; None = no limit.
    bounds : of the errors of models, by name, for a limit of them.

    Raises
    ------
    UsageError
        for frames that a model cannot treat or that are out of the physical range, and where a model cannot
        say how sure it is.
    FidselError
        where a model has no finite forces for a start.
    """
    parts = systems(starts)
    made = {(name, i): make(part) for name, make in models.items() for i, part in enumerate(parts)}
    if protocol.cautious and not any(isinstance(model, ForceField) for model in made.values()):
        raise UsageError("frames that a model doubts need a trained model, label sources have no doubt")
    cases = [
        (name, part, timestep, _run(made[name, i], part, protocol, timestep, bounds.get(name)))
        for name in models
        for i, part in enumerate(parts)
        for timestep in sorted(set(protocol.timesteps))
    ]
    known = {name: one.values.tolist() for name, one in bounds.items()}
    key = digest([starts.digest(), vars(protocol) | {"time": 0}, seed, known, *map(_told, made.values())])
    kept = Checkpoints(folder, key, every)
    share = None if most is None else most // len(cases)
    notes = list(
        dict.fromkeys(f"{part.formulas[0]}: {text}" for _, part, _, run in cases for text in run.bonds.notes)
    )
    found = []
    for number, (name, part, timestep, run) in enumerate(cases):
        system = str(part.formulas[0])
        samples = Samples(kept.path / f"{number:02d}.samples", len(run.masses), share)
        one = simulate(
            run,
            ceil(protocol.time / timestep - 1e-9),  # whole steps, not less than was asked for
            seed,
            samples,
            every=protocol.every,
            names=(name, system),
            checkpoint=kept.task([name, system, timestep]) if share is None else None,
            tell=tells(f"{name} {system} {timestep:g} fs"),
        )
        found.append(one)
        if samples.stride > 1:
            notes.append(
                f"{one.name}: samples are {protocol.every * samples.stride} steps apart, in place of "
                f"{protocol.every}: all would take more than {share} bytes of disk. Trajectories that are "
                "written (--out) keep all"
            )
    return Study(tuple(found), (*kept.notes, *notes))


def systems(frames: Frames) -> list[Frames]:
    """Return frames parted into those of the same atoms in the same order, charge and spin."""
    return [frames[rows] for rows in alike(frames, "charge", "spin")]


def _run(
    model: "ForceField | LabelSource",
    part: Frames,
    protocol: Protocol,
    timestep: float,
    bounds: ClusterBounds | None,
) -> ReplicaRun:
    count = len(part) if protocol.replicas is None else protocol.replicas
    frames, stops = part[np.arange(count) % len(part)].unlabelled(), protocol.stops
    if stops.doubt.bound < inf:
        stops = replace(stops, doubt=replace(stops.doubt, bounds=bounds))
    if protocol.cautious and isinstance(model, ForceField):
        stops = replace(stops, doubt=stops.doubt.completed(model, frames))
    thermostat = Thermostat(timestep, protocol.friction)
    return ReplicaRun.of_model(model, frames, protocol.temperatures, thermostat, stops).tried()


def _told(model: "ForceField | LabelSource") -> object:
    return model_digest(model) if isinstance(model, ForceField) else dict(model.settings())
