"""Langevin dynamics against statistical mechanics."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from ase.data import atomic_masses
from ase.units import kB

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md.conformer_search import conformers
from fidsel.md.langevin import OpenMMRun, Thermostat
from fidsel.md.physical import PhysicalRange
from fidsel.md.replicas import ReplicaRun

WATER = MMFFSource(from_smiles("O"))
STIFF = 5.0


def spring(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    return STIFF / 2 * (positions**2).sum(axis=(1, 2)), -STIFF * positions


def oscillators(n: int, temperature: float, timestep: float = 0.5) -> ReplicaRun:
    return ReplicaRun(
        surface=spring,
        numbers=np.array([1]),
        bonds=(),
        starts=np.zeros((n, 1, 3)),
        temperatures=np.full(n, temperature),
        thermostat=Thermostat(timestep, friction=0.05),
        limits=PhysicalRange(),
    )


@pytest.mark.parametrize("timestep", [0.5, 3.0])
def test_baoab_gives_the_exact_spread_of_a_harmonic_well(timestep: float) -> None:
    run = oscillators(3000, 300.0, timestep)
    *_, (state, left) = islice(run.steps(np.random.default_rng(0)), round(300 / timestep))
    assert not any(left)
    assert (state.positions**2).mean() == pytest.approx(kB * 300 / STIFF, rel=0.05)
    assert state.energy.mean() == pytest.approx(1.5 * kB * 300, rel=0.05)


def test_velocities_follow_each_replica_s_temperature() -> None:
    temperatures = np.array([100.0, 1000.0])
    run = replace(oscillators(2000, 300.0), temperatures=np.repeat(temperatures, 1000))
    *_, (state, _) = islice(run.steps(np.random.default_rng(1)), 300)
    kinetic = atomic_masses[1] * (state.velocities**2).reshape(2, -1).mean(axis=1)
    np.testing.assert_allclose(kinetic, kB * temperatures, rtol=0.1)


def test_openmm_dynamics_obey_equipartition() -> None:
    start = conformers(WATER.molecule, 1, seed=1)[0]
    run = OpenMMRun(WATER, start, 50.0, 7, Thermostat(friction=0.05))
    run.advance(4000)
    assert run.snapshots(4000, 20).energy.mean() == pytest.approx(1.5 * kB * 50, rel=0.08)


def test_openmm_dynamics_depend_on_the_seed_alone() -> None:
    start = conformers(WATER.molecule, 1, seed=1)[0]
    one, same, other = (
        OpenMMRun(WATER, start, 300.0, seed, Thermostat()).snapshots(5, 10) for seed in (3, 3, 4)
    )
    assert (one.positions == same.positions).all()
    assert not np.allclose(one.positions, other.positions)
    assert one.positions.shape == (5, 3, 3)


def test_a_trajectory_continues_where_it_stopped() -> None:
    start = conformers(WATER.molecule, 1, seed=1)[0]
    whole = OpenMMRun(WATER, start, 300.0, 3, Thermostat()).snapshots(6, 10)
    run = OpenMMRun(WATER, start, 300.0, 3, Thermostat())
    halves = run.snapshots(3, 10) + run.snapshots(3, 10)
    assert (whole.positions == halves.positions).all()
    assert (whole.energy == halves.energy).all()


def test_a_trajectory_that_blows_up_ends() -> None:
    start = conformers(WATER.molecule, 1, seed=1)[0]
    kept = OpenMMRun(WATER, start, 300.0, 3, Thermostat(timestep=50.0)).snapshots(50, 10)
    assert len(kept) < 50 or not np.isfinite(kept.energy).all()


@pytest.mark.parametrize("settings", [{"timestep": 0.0}, {"friction": -1.0}])
def test_a_thermostat_that_cannot_be_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must be positive"):
        Thermostat(**settings)
