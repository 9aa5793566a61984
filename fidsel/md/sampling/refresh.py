"""Pools from dynamics of a trained model: `refresh = "model-md"`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.stops import NO_DOUBT, UNCERTAIN, Doubt, Exit, Stops
from fidsel.md.langevin import Replicas, Snapshots, check_request
from fidsel.md.physical import PhysicalRange
from fidsel.md.sampling.pool import join, notes_on
from fidsel.md.sampling.report import Sample, SampleReport, TrajectoryReport
from fidsel.md.sampling.trajectory import SamplingPlan, correlation_times

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField

MODEL_PLAN = SamplingPlan(equilibration=200.0, limits=PhysicalRange(transfer=True))
"""Starts are frames of a pool, hence near equilibrium already; a hydrogen may change partners."""

CHUNK = 50
"""Snapshots between two looks at the autocorrelation times."""


@dataclass(eq=False)
class Segment:
    """Snapshots of one replica from one start to where it left, or to the end.

    Parameters
    ----------
    replica : which.
    attempt : how often it had started before.
    """

    replica: int
    attempt: int
    steps: int = 0
    positions: list[FloatArray] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)
    left: str = ""

    def __len__(self) -> int:
        return len(self.energy)

    def take(self, state: Replicas, row: int, warm: int, every: int) -> None:
        """Count a step, and keep each so many after the first ones."""
        self.steps += 1
        if self.steps > warm and (self.steps - warm) % every == 0:
            self.positions.append(state.positions[row])
            self.energy.append(float(state.energy[row]))

    def thinned(self, numbers: IntArray, plan: SamplingPlan) -> tuple[tuple[float, float], int]:
        """Return autocorrelation times and the stride they ask for, in snapshots."""
        if len(self) < 2:
            return (0.0, 0.0), plan.stride((0.0, 0.0))
        times = correlation_times(numbers, Snapshots(np.array(self.positions), np.array(self.energy)))
        return times, plan.stride(times)


def refresh_pool(
    model: "ForceField",
    starts: Frames,
    frames: int,
    temperatures: Sequence[float],
    seed: int,
    *,
    replicas: int = 16,
    plan: SamplingPlan = MODEL_PLAN,
    doubt: Doubt | None = None,
) -> Sample:
    """Return exactly `frames` configurations from dynamics of a model, decorrelated.

    All replicas are one batch per step. A replica that leaves the physical range is cut there and
    starts anew from its starting frame: what a model does to atoms out of range is no configuration
    worth a label. Unlike MMFF94 a model may break bonds; by default a hydrogen may change partners.

    Where the model is unsure of itself a replica is cut, too, but that frame is what a label is worth most
    for: up to half of the frames are such ones, after which doubt cuts no replica any more.

    Parameters
    ----------
    model : a trained force field for the atoms of `starts`.
    starts : frames of one molecule; `replicas` of them, drawn at random, are used.
    frames : how many frames to return.
    temperatures : K, shared out over the replicas in turn.
    seed : the same seed gives the same frames.
    replicas : most trajectories run side by side.
    plan : how they are run, thinned and cut.
    doubt : where a model is unsure of itself; None = the usual limits, see
        `Doubt.completed`. With a limit of the bound of errors no trajectory starts where it is passed.

    Raises
    ------
    UsageError
        for arguments that cannot be, starts of different molecules or out of range.
    FidselError
        where the model leaves the physical range too often to give that many frames, or no start is within
        the bound of errors.
    """
    check_request(frames, temperatures)
    rng = np.random.default_rng(seed)
    able = np.arange(len(starts)) if doubt is None else _within(starts, doubt)
    rows = np.sort(able[rng.permutation(len(able))[: max(1, replicas)]])
    chosen = starts[rows]
    stops = Stops(limits=plan.limits, doubt=NO_DOUBT.completed(model, chosen) if doubt is None else doubt)
    run = ReplicaRun.of_model(model, chosen, temperatures, plan.thermostat, stops, anew=True)
    segments, unsure = collect(run, frames, plan, rng)
    parts, reports = _harvest(segments, run, rows, frames - len(unsure), plan)
    parts.append(np.array([one.positions for one in unsure]).reshape(-1, *run.starts.shape[1:]))
    groups = [report.group for report in reports] + ["model-uncertain"]
    like = {"charge": starts.charge[0], "spin": starts.spin[0]}
    pool = [
        Frames.stack(chosen.dense().numbers, part - part.mean(axis=1, keepdims=True), group=group, **like)
        for part, group in zip(parts, groups, strict=True)
    ]
    notes = (*notes_on(reports), *run.bonds.notes)
    if unsure:
        notes += (f"{len(unsure)} frames are ones that the model was unsure of",)
    return Sample(join(pool), SampleReport("model-md", seed, reports, notes=notes))


def _within(starts: Frames, doubt: Doubt) -> IntArray:
    """Return the starts in clusters whose errors stay below the limit: all others would end as they began."""
    if doubt.bounds is None:
        return np.arange(len(starts))
    bounds = doubt.bounds.of(starts)
    able = np.flatnonzero(bounds <= doubt.bound)
    if len(able) == 0:
        raise FidselError(
            f"no start is in a cluster whose errors stay below {doubt.bound:g} eV/Å, the best one has "
            f"{bounds.min():.3g}: raise pool.refresh_bound"
        )
    return able


def collect(
    run: ReplicaRun, frames: int, plan: SamplingPlan, rng: np.random.Generator
) -> tuple[list[Segment], list[Exit]]:
    """Run replicas until their segments, and the frames they ended in by doubt, are `frames` in all.

    Raises `FidselError` where replicas left the physical range more than `plan.restarts` times each on
    average.
    """
    live = [Segment(i, 0) for i in range(len(run.starts))]
    ended, unsure = list[Segment](), list[Exit]()
    warm = round(plan.equilibration / plan.thermostat.timestep)
    numbers, state, failed = run.frames.dense().numbers, run.begin(rng), 0
    while True:
        state, left = run.step(state, rng)
        for one in left:
            live[one.replica].left = one.cause
            ended.append(live[one.replica])
            live[one.replica] = Segment(one.replica, ended[-1].attempt + 1)
            failed += one.cause != UNCERTAIN
        unsure += [one for one in left if one.cause == UNCERTAIN][: frames // 2 - len(unsure)]
        if len(unsure) == frames // 2:
            run = replace(run, stops=run.stops.sure())
        for i in {*range(len(live))} - {one.replica for one in left}:
            live[i].take(state, i, warm, plan.every)
        if state.step % (CHUNK * plan.every) and failed <= plan.restarts * len(live):
            continue
        found = len(unsure) + sum(len(s) // s.thinned(numbers, plan)[1] for s in ended + live)
        if found >= frames:
            break
        if failed > plan.restarts * len(live):
            raise FidselError(
                f"the model left the physical range {failed} times in {state.step} steps of {len(live)} "
                f"replicas and gave {found} of {frames} frames; train it further, lower the "
                "temperature or shorten the time step"
            )
    return sorted(ended + live, key=lambda s: (s.replica, s.attempt)), unsure


def _harvest(
    segments: Sequence[Segment], run: ReplicaRun, rows: IntArray, frames: int, plan: SamplingPlan
) -> tuple[list[FloatArray], tuple[TrajectoryReport, ...]]:
    """Return `frames` frames, evenly from all there are, per segment, and the segments' reports."""
    numbers = run.frames.dense().numbers
    thinned = [segment.thinned(numbers, plan) for segment in segments]
    counts = np.array([len(s) // stride for s, (_, stride) in zip(segments, thinned, strict=True)])
    kept = np.linspace(0, counts.sum() - 1, frames).round().astype(np.int64)
    first = np.cumsum(counts) - counts
    parts, reports = [], []
    for segment, (times, stride), start, count in zip(segments, thinned, first, counts, strict=True):
        mine = kept[(kept >= start) & (kept < start + count)] - start
        every = np.array(segment.positions).reshape(-1, *run.starts.shape[1:])[stride - 1 :: stride]
        temperature = float(run.temperatures[segment.replica])
        again = f"-r{segment.attempt}" if segment.attempt else ""
        parts.append(every[mine])
        reports.append(
            TrajectoryReport(
                group=f"model-T{temperature:g}-s{rows[segment.replica]}{again}",
                temperature=temperature,
                frames=len(mine),
                length=len(segment) * plan.interval,
                interval=stride * plan.interval,
                energy_time=times[0] * plan.interval,
                geometry_time=times[1] * plan.interval,
                left=segment.left,
            )
        )
    return parts, tuple(reports)
