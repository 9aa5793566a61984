"""How long dynamics of a model stay in the physical range."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from fidsel.arrays import FloatArray, shown
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.md.langevin import Thermostat
from fidsel.md.pool import check_request
from fidsel.md.refresh import MODEL_PLAN
from fidsel.md.replicas import ReplicaRun

if TYPE_CHECKING:
    from fidsel.md.physical import PhysicalRange
    from fidsel.models.contract import ForceField


@dataclass(frozen=True, eq=False)
class Stability:
    """When each replica first left the physical range.

    Parameters
    ----------
    times : (k,) fs until it left, or the whole duration where it stayed.
    reasons : why each left, "" where it stayed.
    duration : fs that were run.
    """

    times: FloatArray
    reasons: tuple[str, ...]
    duration: float
    __repr__ = shown

    @property
    def stable(self) -> float:
        """Fraction of replicas that stayed."""
        return self.reasons.count("") / len(self.reasons)


def stability(
    model: "ForceField",
    starts: Frames,
    temperatures: Sequence[float],
    duration: float,
    seed: int,
    *,
    thermostat: Thermostat = MODEL_PLAN.thermostat,
    limits: "PhysicalRange" = MODEL_PLAN.limits,
) -> Stability:
    """Return how long Langevin dynamics of a model stay in the physical range, one replica per start.

    Parameters
    ----------
    starts : frames of one molecule.
    temperatures : K, shared out over the replicas in turn.
    duration : fs.
    thermostat : time step and friction; larger time steps are a harder test.

    Raises
    ------
    UsageError
        for arguments that cannot be.
    """
    check_request(len(starts), temperatures)
    steps = round(duration / thermostat.timestep)
    if steps < 1:
        raise UsageError(
            f"duration must be at least one time step of {thermostat.timestep} fs, got {duration}"
        )
    run = ReplicaRun.of_model(model, starts, temperatures, thermostat, limits)
    times, reasons = np.full(len(starts), float(duration)), [""] * len(starts)
    for step, (_, left) in enumerate(islice(run.steps(np.random.default_rng(seed)), steps), start=1):
        for i, reason in enumerate(left):
            if reason and not reasons[i]:
                times[i], reasons[i] = step * thermostat.timestep, reason
        if all(reasons):
            break
    return Stability(times, tuple(reasons), duration)
