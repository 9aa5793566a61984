"""A label source with known answers and chosen durations, and an engine with a clock of its own."""

import heapq
import os
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import numpy as np
from ase import Atoms

from fidsel.data import Frames
from fidsel.fidelity import Label, LabelError, Task
from fidsel.fidelity.engine.boundary import label_or_error
from fidsel.fidelity.engine.task import Result, Usage
from fidsel.fidelity.source import Value


@dataclass(frozen=True)
class Spring:
    """E = k·Σ|x|²/2; the first coordinate of a frame says how it behaves.

    `seconds` core-seconds each, or as many as the first coordinate says where it is None; frames whose
    first coordinate is negative fail after that time. Where `calls` names a file every call is noted.
    """

    k: float = 2.0
    seconds: float | None = 1.0
    forces: bool = True
    pause: float = 0.0
    calls: Path | None = None

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "spring", "k": self.k, "forces": self.forces}

    @property
    def seconds_per_label(self) -> float:
        """Core-seconds a label is said to take, as a table says it to practise."""
        return self.seconds or 0.0

    def duration(self, atoms: Atoms) -> float:
        return abs(float(atoms.positions[0, 0])) if self.seconds is None else self.seconds

    def label(self, atoms: Atoms) -> Label:
        first = float(atoms.positions[0, 0])
        if self.calls is not None:
            with self.calls.open("a") as file:
                file.write(f"{first:.6f}\n")
                file.flush()
                os.fsync(file.fileno())
        sleep(self.pause)
        if first < 0:
            raise LabelError("did not converge", self.duration(atoms))
        energy = 0.5 * self.k * float((atoms.positions**2).sum())
        forces = -self.k * atoms.positions if self.forces else None
        return Label(energy, forces, self.duration(atoms), {"program": "spring", "pid": os.getpid()})


@dataclass(frozen=True)
class ClockEngine:
    """Runs tasks on a clock of its own: `workers` at a time, stopped `latency` after their limit."""

    workers: int = 3
    latency: float = 0.0

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        queue, running, now, count = iter(tasks), list[tuple[float, int, Task]](), 0.0, 0
        while True:
            while len(running) < self.workers and (task := next(queue, None)) is not None:
                count += 1
                heapq.heappush(running, (now + min(wall(task), self.limit(task)), count, task))
            if not running:
                return
            now, _, task = heapq.heappop(running)
            if wall(task) > (limit := self.limit(task)):
                error = LabelError("passed its limit", cause="timeout")
                yield task, error, Usage(limit * task.threads, limit)
            else:
                usage = Usage(wall(task) * task.threads, wall(task))
                yield task, label_or_error(task.source, task.atoms), usage

    def limit(self, task: Task) -> float:
        """Wall time after which a task, using all its threads, is stopped."""
        paid = np.inf if task.cpu_limit is None else task.cpu_limit / task.threads
        own = np.inf if task.time_limit is None else task.time_limit
        return float(min(paid, own)) + self.latency

    def running(self) -> Mapping[str, Usage]:
        return {}


def wall(task: Task) -> float:
    assert isinstance(task.source, Spring)
    return task.source.duration(task.atoms) / task.threads


def springs(first: Iterable[float]) -> Frames:
    """Frames of two atoms, told apart by their first coordinate (which is the duration of a `Spring`)."""
    positions = [[[x, 0.1, 0.0], [0.0, 0.0, 1.0]] for x in first]
    return Frames.stack([1, 8], np.reshape(positions, (-1, 2, 3)))
