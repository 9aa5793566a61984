import numpy as np
import pytest

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md import PhysicalRange, SamplingPlan, Thermostat
from fidsel.md.langevin import Snapshots
from fidsel.md.sampling.conformer_search import conformers
from fidsel.md.sampling.trajectory import SHORTEST, Walk, correlation_times

WATER = from_smiles("O")
PLAN = SamplingPlan(
    Thermostat(timestep=1.0), equilibration=20.0, shortest_interval=20.0, longest_interval=50.0
)


def walk(plan: SamplingPlan = PLAN, temperature: float = 300.0) -> Walk:
    start = conformers(WATER, 1, seed=1)[0]
    return Walk(WATER, MMFFSource(WATER), start, temperature, "T300-c0", plan)


def test_a_stride_stays_between_the_shortest_and_the_longest() -> None:
    assert (PLAN.every, PLAN.interval) == (10, 10.0)
    assert [PLAN.stride(times) for times in ((0.0, 0.0), (2.0, 3.2), (99.0, 1.0))] == [2, 4, 5]


def test_plans_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="0 < shortest_interval ≤ longest_interval"):
        SamplingPlan(shortest_interval=50.0, longest_interval=20.0)
    with pytest.raises(UsageError, match="equilibration and restarts must be ≥ 0, got -1"):
        SamplingPlan(equilibration=-1.0)


def test_a_walk_gives_the_frames_asked_for() -> None:
    ((positions, report),) = walk().trajectories(6, np.random.SeedSequence(1))
    assert positions.shape == (6, 3, 3)
    assert (report.group, report.frames, report.left) == ("T300-c0", 6, "")
    assert report.length >= SHORTEST * PLAN.interval
    assert report.interval >= 20.0


def test_a_walk_that_leaves_begins_anew_and_gives_up_in_the_end() -> None:
    narrow = SamplingPlan(
        PLAN.thermostat, equilibration=0.0, shortest_interval=20.0, longest_interval=50.0,
        limits=PhysicalRange(stretch=1.05), restarts=2,
    )  # fmt: skip
    found = walk(narrow, 2000.0).trajectories(40, np.random.SeedSequence(1))
    reports = [next(found)[1] for _ in range(3)]
    assert [report.group for report in reports] == ["T300-c0", "T300-c0-r1", "T300-c0-r2"]
    assert {report.left for report in reports} == {"torn bond"}
    with pytest.raises(FidselError, match=r"T300-c0 left the physical range 3 times and gave \d+ of its 40"):
        next(found)


def test_times_need_two_snapshots() -> None:
    one = Snapshots(np.zeros((1, 3, 3)), np.zeros(1))
    assert correlation_times(WATER.numbers, one) == (0.0, 0.0)
