"""One starting point's trajectories: run, measured, thinned, cut where they leave the physical range."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.sources.openmm import OpenMMSource
from fidsel.md.langevin import OpenMMRun, Snapshots, Thermostat
from fidsel.md.physical import NOT_FINITE, PhysicalRange
from fidsel.md.sampling.decorrelate import autocorrelation_time, geometry_coordinate
from fidsel.md.sampling.report import TrajectoryReport

SNAPSHOT = 10.0
"""fs between the snapshots from which autocorrelation times are measured."""

SHORTEST = 200
"""Snapshots a trajectory has before its autocorrelation times are believed."""


@dataclass(frozen=True)
class SamplingPlan:
    """How trajectories are run, thinned and cut.

    Parameters
    ----------
    equilibration : fs run before anything is kept.
    shortest_interval : fs; frames are never closer than this: a short trajectory shows too short
        autocorrelation times, and velocities are remembered for about 1/friction.
    longest_interval : fs; frames are never farther apart than this, however slow the molecule. The
        report marks trajectories whose frames are then correlated.
    restarts : how often one trajectory may start anew after it left the physical range.
    """

    thermostat: Thermostat = field(default_factory=Thermostat)
    equilibration: float = 1000.0
    shortest_interval: float = 100.0
    longest_interval: float = 1000.0
    limits: PhysicalRange = field(default_factory=PhysicalRange)
    restarts: int = 10

    def __post_init__(self) -> None:
        if self.equilibration < 0 or self.restarts < 0:
            raise UsageError(
                f"equilibration and restarts must be ≥ 0, got {self.equilibration} and {self.restarts}"
            )
        if not 0 < self.shortest_interval <= self.longest_interval:
            raise UsageError(
                "intervals must be 0 < shortest_interval ≤ longest_interval, got "
                f"{self.shortest_interval} and {self.longest_interval} fs"
            )

    @property
    def every(self) -> int:
        """Steps between two snapshots."""
        return max(1, round(SNAPSHOT / self.thermostat.timestep))

    @property
    def interval(self) -> float:
        """Time between two snapshots, fs."""
        return self.every * self.thermostat.timestep

    def stride(self, times: tuple[float, float]) -> int:
        """Return the snapshots from one frame to the next for autocorrelation times in snapshots."""
        shortest, longest = self.shortest_interval / self.interval, self.longest_interval / self.interval
        return max(1, math.ceil(min(max(shortest, *times), longest)))


@dataclass(frozen=True, eq=False)
class Walk:
    """Dynamics of one molecule from one start at one temperature.

    Parameters
    ----------
    start : (N, 3) Å.
    temperature : K.
    name : group of its frames.
    """

    molecule: Molecule
    source: OpenMMSource
    start: FloatArray
    temperature: float
    name: str
    plan: SamplingPlan

    def trajectories(
        self, n: int, seeds: np.random.SeedSequence
    ) -> Iterator[tuple[FloatArray, TrajectoryReport]]:
        """Yield trajectories, positions (k, N, 3) Å and report, until they have given `n` frames.

        Raises `FidselError` where they leave the physical range too often for that.
        """
        missing, restarts = n, self.plan.restarts
        for attempt in range(restarts + 1):
            if missing == 0:
                return
            group = self.name if attempt == 0 else f"{self.name}-r{attempt}"
            # OpenMM takes seeds from 1 to 2³¹ − 1, 0 would mean a random one
            seed = int(np.random.default_rng(seeds.spawn(1)[0]).integers(1, 2**31 - 1))
            run = OpenMMRun(self.source, self.start, self.temperature, seed, self.plan.thermostat)
            positions, report = self._collect(run, missing, group)
            missing -= report.frames
            yield positions, report
        if missing:
            raise FidselError(
                f"{self.name} left the physical range {restarts + 1} times and gave {n - missing} of its "
                f"{n} frames; lower the temperature, shorten the time step or widen the physical range"
            )

    def _collect(self, run: OpenMMRun, n: int, group: str) -> tuple[FloatArray, TrajectoryReport]:
        """Run one trajectory until it holds `n` decorrelated frames or leaves the physical range."""
        plan = self.plan
        run.advance(round(plan.equilibration / plan.thermostat.timestep))
        kept, wanted, left = run.snapshots(0, plan.every), max(SHORTEST, 10 * n), ""
        times, stride = (0.0, 0.0), 1
        while not left and len(kept) < wanted:
            new, left = self._within(run.snapshots(wanted - len(kept), plan.every), wanted - len(kept))
            kept += new
            times = correlation_times(self.molecule.numbers, kept)
            stride = plan.stride(times)
            wanted = max(wanted, n * stride)
        stride = max(stride, len(kept) // n)
        chosen = kept.positions[stride - 1 :: stride][:n]
        energy_time, geometry_time = (value * plan.interval for value in times)
        return chosen, TrajectoryReport(
            group=group,
            temperature=self.temperature,
            frames=len(chosen),
            length=len(kept) * plan.interval,
            interval=stride * plan.interval,
            energy_time=energy_time,
            geometry_time=geometry_time,
            left=left,
        )

    def _within(self, new: Snapshots, expected: int) -> tuple[Snapshots, str]:
        """Return the snapshots up to where they leave the physical range, and why they do."""
        reasons = self.plan.limits.reasons(self.molecule.numbers, new.positions, self.molecule.bonds)
        first = next((i for i, reason in enumerate(reasons) if reason), None)
        if first is not None:
            return new.head(first), reasons[first]
        return new, "" if len(new) == expected else NOT_FINITE


def correlation_times(numbers: Sequence[int] | IntArray, kept: Snapshots) -> tuple[float, float]:
    """Return autocorrelation times of energy and slowest geometric coordinate, in snapshots."""
    if len(kept) < 2:
        return 0.0, 0.0
    geometry = geometry_coordinate(numbers, kept.positions)
    return autocorrelation_time(kept.energy), autocorrelation_time(geometry)
