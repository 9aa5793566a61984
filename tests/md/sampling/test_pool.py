"""Pools: exact, repeatable, decorrelated and in the physical range."""

from pathlib import Path

import numpy as np
import openmm
import pytest

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource, SystemSource
from fidsel.md import PhysicalRange, SamplingPlan, sample
from fidsel.md.sampling.pool import split_evenly

ETHANOL = from_smiles("CCO")
FAST = SamplingPlan(equilibration=100.0, shortest_interval=10.0, longest_interval=50.0)


def test_a_pool_has_the_frames_asked_for() -> None:
    pool = sample(ETHANOL, 25, [300.0, 500.0], seed=1, conformers=2)
    frames, report = pool.frames, pool.report
    assert len(frames) == len(set(frames.ids)) == 25
    assert set(frames.group) == {"T300-c0", "T300-c1", "T500-c0", "T500-c1"}
    assert [t.frames for t in report.trajectories] == [7, 6, 6, 6]
    assert not any(PhysicalRange().reasons(ETHANOL.numbers, frames.dense().positions, ETHANOL.bonds))
    assert not frames.has_forces.any()
    assert np.isnan(frames.energy).all()
    assert (report.source, report.seed, report.left) == ("md", 1, 0)


def test_frames_lie_an_autocorrelation_time_apart() -> None:
    report = sample(ETHANOL, 20, [500.0], seed=1, conformers=1).report
    trajectory = report.trajectories[0]
    assert trajectory.interval >= max(trajectory.energy_time, trajectory.geometry_time) > 20
    assert trajectory.interval >= 100
    assert trajectory.length >= 20 * trajectory.interval
    assert not trajectory.correlated
    assert not report.notes


def test_frames_closer_than_they_should_be_are_reported() -> None:
    plan = SamplingPlan(shortest_interval=10.0, longest_interval=20.0)
    report = sample(ETHANOL, 60, [500.0], seed=1, conformers=1, plan=plan).report
    assert report.trajectories[0].correlated
    assert "correlated" in report.notes[0]


def test_the_seed_decides() -> None:
    one, same, other = (
        sample(ETHANOL, 6, [500.0], seed=s, conformers=1, plan=FAST).frames for s in (1, 1, 2)
    )
    assert one.ids == same.ids
    assert not set(one.ids) & set(other.ids)


def test_charge_and_temperature_arrive() -> None:
    acetate = from_smiles("CC(=O)[O-]")
    cold, hot = (sample(acetate, 30, [t], seed=3, conformers=1).frames for t in (100.0, 600.0))
    assert set(hot.charge) == {-1}
    spread = [
        np.linalg.norm(f.dense().positions[:, 0] - f.dense().positions[:, 1], axis=1).std()
        for f in (cold, hot)
    ]
    assert spread[1] > 1.5 * spread[0]


def test_any_system_can_be_the_surface(tmp_path: Path) -> None:
    path = tmp_path / "ethanol.xml"
    path.write_text(openmm.XmlSerializer.serialize(MMFFSource(ETHANOL).system()))
    starts = sample(ETHANOL, 1, [300.0], seed=1, plan=FAST).frames.dense().positions
    pools = [
        sample(ETHANOL, 3, [300.0], seed=1, starts=starts, source=source, plan=FAST).frames
        for source in (MMFFSource(ETHANOL), SystemSource(path))
    ]
    np.testing.assert_allclose(pools[0].positions, pools[1].positions, atol=1e-6)


def test_a_trajectory_that_leaves_is_cut_and_started_anew() -> None:
    dimer = from_smiles("O.O")
    plan = SamplingPlan(
        equilibration=0.0,
        shortest_interval=10.0,
        longest_interval=50.0,
        limits=PhysicalRange(gap=3.2),
        restarts=200,
    )
    pool = sample(dimer, 40, [600.0], seed=1, conformers=1, plan=plan)
    assert len(pool.frames) == 40
    assert pool.report.left >= 1
    assert {t.left for t in pool.report.trajectories} <= {"", "fragments apart"}
    assert {t.group for t in pool.report.trajectories[:2]} == {"T600-c0", "T600-c0-r1"}
    assert not any(plan.limits.reasons(dimer.numbers, pool.frames.dense().positions, dimer.bonds))
    assert "left the physical range" in pool.report.notes[0]


def test_a_trajectory_that_always_leaves_is_an_error() -> None:
    plan = SamplingPlan(limits=PhysicalRange(gap=3.2), restarts=1)
    with pytest.raises(FidselError, match=r"T900-c0 left the physical range 2 times and gave \d+ of its 200"):
        sample(from_smiles("O.O"), 200, [900.0], seed=1, conformers=1, plan=plan)


def test_requests_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="frames must be a whole number ≥ 1, got 0"):
        sample(ETHANOL, 0, [300.0], seed=1)
    with pytest.raises(UsageError, match="temperatures must be positive and at least one"):
        sample(ETHANOL, 5, [], seed=1)
    with pytest.raises(UsageError, match=r"no type for atom 1 \(B\)"):
        sample(from_smiles("CB(O)O"), 5, [300.0], seed=1)
    with pytest.raises(UsageError, match=r"starts must have shape \(k, 9, 3\)"):
        sample(ETHANOL, 5, [300.0], seed=1, starts=np.zeros((1, 3, 3)))
    with pytest.raises(UsageError, match=r"start 0 is out of the physical range \(overlap\)"):
        sample(ETHANOL, 5, [300.0], seed=1, starts=np.zeros((1, 9, 3)))
    with pytest.raises(UsageError, match="frame must have the 3 atoms"):
        sample(ETHANOL, 5, [300.0], seed=1, source=MMFFSource(from_smiles("O")))
    with pytest.raises(UsageError, match="shortest_interval ≤ longest_interval"):
        SamplingPlan(longest_interval=1.0)


@pytest.mark.parametrize(("total", "parts"), [(10, 3), (2, 5), (7, 7)])
def test_shares_are_even(total: int, parts: int) -> None:
    shares = split_evenly(total, parts)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
