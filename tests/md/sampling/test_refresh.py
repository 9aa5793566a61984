"""Pools from a model's own dynamics, cut where the model fails."""

from dataclasses import replace

import numpy as np
import pytest
from ase.units import kB
from mmff_force_field import MMFFForceField
from spring_systems import shaken

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import Molecule, from_smiles
from fidsel.md import PhysicalRange, SamplingPlan, Thermostat, refresh_pool, sample
from fidsel.md.dynamics.stops import NO_DOUBT
from fidsel.models.ranges import ElementRanges, Ranges, furthest

WATER = from_smiles("O")


class Seen(MMFFForceField):
    """MMFF94 that knows what it has learnt from."""

    def __init__(self, molecule: Molecule, ranges: ElementRanges) -> None:
        super().__init__(molecule)
        self.ranges = ranges

    @property
    def seen(self) -> tuple[Ranges, ...]:
        return (self.ranges,)


PLAN = SamplingPlan(
    thermostat=Thermostat(friction=0.05),
    equilibration=50.0,
    shortest_interval=20.0,
    longest_interval=50.0,
    limits=PhysicalRange(transfer=True),
)


@pytest.fixture(scope="module")
def starts() -> Frames:
    return sample(WATER, 4, [300.0], seed=1, conformers=1).frames


def test_a_pool_has_the_frames_asked_for(starts: Frames) -> None:
    pool = refresh_pool(MMFFForceField(WATER), starts, 30, [300.0, 500.0], seed=1, replicas=3, plan=PLAN)
    assert len(set(pool.frames.ids)) == 30
    assert len(set(pool.frames.group)) == 3
    assert {group.split("-")[1] for group in pool.frames.group} == {"T300", "T500"}
    assert not set(pool.frames.ids) & set(starts.ids)
    assert (pool.report.source, pool.report.left) == ("model-md", 0)
    assert sum(t.frames for t in pool.report.trajectories) == 30


def test_the_seed_decides(starts: Frames) -> None:
    one, same, other = (
        refresh_pool(MMFFForceField(WATER), starts, 5, [300.0], seed=s, replicas=1, plan=PLAN).frames
        for s in (1, 1, 2)
    )
    assert one.ids == same.ids
    assert not set(one.ids) & set(other.ids)


def test_frames_follow_boltzmann(starts: Frames) -> None:
    model = MMFFForceField(WATER)
    pool = refresh_pool(model, starts, 150, [100.0], seed=3, plan=PLAN)
    assert model.predict(pool.frames).energy.mean() == pytest.approx(1.5 * kB * 100, rel=0.2)


def test_a_model_that_lets_go_of_atoms_is_cut_there(starts: Frames) -> None:
    plan = replace(PLAN, restarts=50)
    pool = refresh_pool(MMFFForceField(WATER, reach=0.95), starts, 20, [300.0], seed=1, plan=plan)
    assert len(pool.frames) == 20
    assert pool.report.left > 0
    assert {t.left for t in pool.report.trajectories} <= {
        "", "torn bond", "overlap", "temperature", "energy drift",
    }  # fmt: skip
    assert not any(PLAN.limits.reasons(WATER.numbers, pool.frames.dense().positions, WATER.bonds))


def test_a_hopeless_model_is_an_error(starts: Frames) -> None:
    with pytest.raises(FidselError, match=r"left the physical range \d+ times .* gave 0 of 20 frames"):
        refresh_pool(MMFFForceField(WATER, reach=0.1), starts, 20, [300.0], seed=1, plan=PLAN)


def test_starts_out_of_range_are_refused(starts: Frames) -> None:
    broken = starts.replace(positions=np.zeros_like(starts.positions))
    with pytest.raises(UsageError, match="start 0 is out of the physical range"):
        refresh_pool(MMFFForceField(WATER), broken, 5, [300.0], seed=1)


def test_frames_the_model_is_unsure_of_are_candidates() -> None:
    waters = shaken("H2O", 20)
    model = Seen(WATER, ElementRanges.of(waters[:2], 5.0))
    pool = refresh_pool(model, waters[:2].unlabelled(), 20, [500.0], seed=1, replicas=2, plan=PLAN)
    unsure = [i for i, group in enumerate(pool.frames.group) if group == "model-uncertain"]
    assert len(pool.frames) == 20
    assert 0 < len(unsure) <= 10
    assert all(found.far for found in furthest(model.seen, pool.frames[unsure]))
    assert f"{len(unsure)} frames are ones that the model was unsure of" in pool.report.notes
    sure = refresh_pool(model, waters[:2].unlabelled(), 20, [500.0], 1, replicas=2, plan=PLAN, doubt=NO_DOUBT)
    assert "model-uncertain" not in sure.frames.group
