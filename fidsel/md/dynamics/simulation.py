"""One run of dynamics from start to end: samples, checkpoints, and when and why each replica ended."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from ase.units import fs, kB

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.samples import Samples
from fidsel.md.dynamics.stops import UNCERTAIN, Exit
from fidsel.md.langevin import ARRAYS, Replicas
from fidsel.md.vibrations import internal_motions
from fidsel.models.checkpoints import Checkpoint, Kept

Tell = Callable[[int, int, str], None]
"""Hears how many of how many time steps are done, and what else there is to say."""
BETWEEN = 0.5
"""Seconds between two messages, at least."""
DAY = 86400.0


def unheard(step: int, of: int, detail: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class End:
    """How one replica came to its end.

    Parameters
    ----------
    step : time step in which it ended.
    exit : why; None = it lasted.
    """

    step: int
    exit: Exit | None = None
    __repr__ = shown


@dataclass(frozen=True, eq=False)
class Simulation:
    """Dynamics of the replicas of one molecule with one model and time step.

    Parameters
    ----------
    model, system : their names.
    run : what was run.
    steps : that were asked for.
    ends : of each replica.
    samples : of all replicas.
    seconds : that it took.
    """

    model: str
    system: str
    run: ReplicaRun
    steps: int
    ends: tuple[End, ...]
    samples: Samples
    seconds: float

    @property
    def name(self) -> str:
        """What tells it from others of a study."""
        return f"{self.model} {self.system} {self.run.thermostat.timestep:g} fs"

    @property
    def times(self) -> FloatArray:
        """(k,) fs that each replica has run."""
        return np.array([end.step for end in self.ends]) * self.run.thermostat.timestep

    @property
    def survived(self) -> float:
        """Fraction of the replicas that did not fail: they lasted, or were ended by the model's doubt."""
        failed = sum(end.exit is not None and end.exit.cause != UNCERTAIN for end in self.ends)
        return 1 - failed / len(self.ends)

    @property
    def causes(self) -> Mapping[str, int]:
        """How many replicas ended for each cause."""
        return Counter(end.exit.cause for end in self.ends if end.exit is not None)

    @property
    def ns_per_day(self) -> float:
        """Time simulated, of all replicas together, in a day."""
        return float(self.times.sum()) * 1e-6 * DAY / max(self.seconds, 1e-9)

    def temperature(self) -> float:
        """Return the mean kinetic temperature of all samples, K.

        With a bath from velocities as they are between the two halves of a step, where the bath sets them:
        those do not depend on the time step for a harmonic vibration, those at the end of a step are too slow
        by the factor 1 − (hω/2)² in the kinetic energy (Leimkuhler and Matthews, DOI 10.1063/1.4802990).
        """
        masses, h = self.run.masses, self.run.thermostat.timestep * fs
        freedom, bath = 3 * len(masses), self.run.thermostat.friction > 0
        if not bath:  # the molecule neither moves nor turns as a whole
            freedom = max(internal_motions(self.run.starts[0], masses).shape[1], 1)
        total = 0.0
        for rows in self.samples.pieces():
            # the closing B of BAOAB undone; velocities of the start were drawn, without a step before them
            kicked = h / 2 * (bath * (rows["step"] > 0))[:, None, None]
            v = rows["velocities"] - kicked * rows["forces"] / masses[:, None]
            total += float(np.einsum("n,kna,kna->", masses, v, v))
        return total / (len(self.samples) * freedom * kB) if len(self.samples) else np.nan

    def drift(self) -> float:
        """Return how fast the integrator changes the energy, meV per atom and ps.

        The mean over replicas of the slope, in size, of a line through their samples; NaN where there are
        too few.
        """
        sums = np.zeros((5, len(self.ends)))
        for rows in self.samples.pieces():
            t, y = (rows["step"] - self.steps / 2) * self.run.thermostat.timestep / 1000, rows["loss"]
            terms = (np.ones(len(t)), t, y, t * t, t * y)
            sums += [np.bincount(rows["replica"], term, len(self.ends)) for term in terms]
        n, t, y, tt, ty = sums[:, sums[0] > 2]
        slopes = np.abs((n * ty - t * y) / (n * tt - t * t))
        return float(1000 * slopes.mean() / len(self.run.masses)) if slopes.size else np.nan

    def candidates(self) -> Frames | None:
        """Return the frames that the model was unsure of, without labels; None where there are none."""
        ends = [end.exit for end in self.ends if end.exit is not None and end.exit.cause == UNCERTAIN]
        if not ends:
            return None
        rows = np.array([one.replica for one in ends])
        found = self.run.frames[rows].unlabelled()
        x = np.array([one.positions - one.positions.mean(axis=0) for one in ends])
        return found.replace(positions=x.reshape(-1, 3), group=[f"{self.name} r{i}" for i in rows])

    def to_dict(self) -> dict[str, Any]:  # Any: plain values
        """Return plain values."""
        thermostat = self.run.thermostat
        replicas = [
            {
                "replica": i,
                "temperature": float(self.run.temperatures[i]),
                "step": end.step,
                "time_fs": float(time),
                "cause": None if end.exit is None else end.exit.cause,
                "detail": "" if end.exit is None else end.exit.detail,
            }
            for i, (end, time) in enumerate(zip(self.ends, self.times, strict=True))
        ]
        return {
            "model": self.model,
            "system": self.system,
            "timestep_fs": thermostat.timestep,
            "friction_per_fs": thermostat.friction,
            "time_fs": self.steps * thermostat.timestep,
            "survived": self.survived,
            "causes": dict(self.causes),
            "mean_temperature": self.temperature(),
            "drift_mev_per_atom_ps": self.drift(),
            "ns_per_day": self.ns_per_day,
            "seconds": self.seconds,
            "replicas": replicas,
        }


def simulate(
    run: ReplicaRun,
    steps: int,
    seed: int,
    samples: Samples,
    *,
    every: int,
    names: tuple[str, str] = ("model", ""),
    checkpoint: Checkpoint | None = None,
    tell: Tell = unheard,
) -> Simulation:
    """Run dynamics to the end, or until no replica is left.

    With a checkpoint a run that was killed goes on as if it had not been: to the last bit. One that is past
    `steps`, or whose samples are lost, begins anew, which is noted. It takes samples without a limit.

    Parameters
    ----------
    steps : time steps.
    seed : of velocities and noise.
    samples : where states are kept, the start and each so many steps.
    every : time steps between two samples.
    names : of model and system.
    checkpoint : of this run; None = a killed one begins anew.
    tell : hears how far it is.
    """
    progress = _Progress(run, steps, seed, samples, checkpoint)
    began, told = perf_counter() - progress.seconds, 0.0
    while progress.state.step < steps and len(progress.state):
        progress.advance(every)
        now = perf_counter()
        progress.seconds = now - began
        if now - told > BETWEEN:
            told = now
            tell(progress.state.step, steps, progress.detail())
        if checkpoint is not None and checkpoint.due():
            progress.save()
    progress.save()
    tell(steps, steps, progress.detail())
    ends = tuple(progress.ends.get(i, End(progress.state.step)) for i in range(len(run.starts)))
    return Simulation(*names, run, steps, ends, samples, progress.seconds)


class _Progress:
    """How far a run is: its state, what has ended, and what is kept of both."""

    def __init__(
        self, run: ReplicaRun, steps: int, seed: int, samples: Samples, checkpoint: Checkpoint | None
    ) -> None:
        self.run, self.samples, self.checkpoint = run, samples, checkpoint
        self.rng = np.random.default_rng(seed)
        self.ends: dict[int, End] = {}
        self.seconds = 0.0
        kept = None if checkpoint is None else self._kept(checkpoint, steps)
        if kept is None:
            samples.cut(0)
            self.state = run.begin(self.rng)
            samples.append(self.state, run.masses)
            return
        values, tensors = kept
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        self.state = Replicas(**{name: arrays[name] for name in ARRAYS}, step=values["step"])
        self.rng.bit_generator.state = values["rng"]
        self.seconds = values["seconds"]
        for row, (step, replica, cause, detail) in enumerate(values["ends"]):
            self.ends[replica] = End(step, Exit(replica, cause, detail, arrays["ended"][row]))
        samples.cut(values["samples"])

    def _kept(self, checkpoint: Checkpoint, steps: int) -> Kept | None:
        """Return what was kept of the run, None where there is nothing that it could go on from."""
        kept = checkpoint.load()
        if kept is None:
            return None
        done, sampled = kept[0]["step"], kept[0]["samples"]
        if done > steps:
            checkpoint.note(f"{checkpoint.path} is {done} steps on, {steps} are asked for: begun anew")
        elif sampled > len(self.samples):
            checkpoint.note(
                f"{self.samples.path} has {len(self.samples)} of the {sampled} samples that its checkpoint "
                "tells of: begun anew"
            )
        else:
            return kept
        return None

    def advance(self, every: int) -> None:
        """Take one time step."""
        self.state, left = self.run.step(self.state, self.rng)
        self.ends |= {one.replica: End(self.state.step, one) for one in left}
        if self.state.step % (every * self.samples.stride) == 0:
            self.samples.append(self.state, self.run.masses)

    def detail(self) -> str:
        """Return what to say of it."""
        fs = self.run.thermostat.timestep * (
            self.state.step * len(self.state) + sum(end.step for end in self.ends.values())
        )
        rate = fs * 1e-6 * DAY / max(self.seconds, 1e-9)
        return f"steps, {len(self.state)} of {len(self.run.starts)} replicas, {rate:.3g} ns/day in all"

    def save(self) -> None:
        """Keep it."""
        if self.checkpoint is None:
            return
        ends = [
            (end.step, replica, end.exit.cause, end.exit.detail)
            for replica, end in self.ends.items()
            if end.exit is not None
        ]
        where = [end.exit.positions for end in self.ends.values() if end.exit is not None]
        values = {
            "step": self.state.step,
            "rng": self.rng.bit_generator.state,
            "seconds": self.seconds,
            "ends": ends,
            "samples": len(self.samples),
        }
        tensors = {name: torch.tensor(getattr(self.state, name)) for name in ARRAYS}
        tensors["ended"] = torch.tensor(np.array(where).reshape(-1, *self.run.starts.shape[1:]))
        self.checkpoint.save(values, tensors)
