"""Langevin dynamics against statistical mechanics."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from ase.data import atomic_masses
from ase.units import fs, kB

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.fidelity.sources.openmm import MMFFSource
from fidsel.md.bonding import Bonding
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.stops import Stops
from fidsel.md.langevin import OpenMMRun, Replicas, Thermostat, at_rest
from fidsel.md.sampling.conformer_search import conformers

WATER = MMFFSource(from_smiles("O"))
STIFF = 5.0


def spring(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    return STIFF / 2 * (positions**2).sum(axis=(1, 2)), -STIFF * positions


def oscillators(n: int, thermostat: Thermostat, temperature: float = 300.0) -> ReplicaRun:
    return ReplicaRun(
        surface=spring,
        frames=Frames.stack([1], np.zeros((n, 1, 3))),
        bonds=Bonding.same((), n),
        temperatures=np.full(n, temperature),
        thermostat=thermostat,
        stops=Stops(hot=np.inf),  # single atoms are hot now and then
    )


def after(run: ReplicaRun, steps: int, seed: int = 0) -> Replicas:
    rng = np.random.default_rng(seed)
    state = run.begin(rng)
    for _ in range(steps):
        state, left = run.step(state, rng)
        assert not left
    return state


@pytest.mark.parametrize("timestep", [0.5, 3.0])
def test_baoab_gives_the_exact_spread_of_a_harmonic_well(timestep: float) -> None:
    run = oscillators(3000, Thermostat(timestep, friction=0.05))
    state = after(run, round(300 / timestep))
    assert (state.positions**2).mean() == pytest.approx(kB * 300 / STIFF, rel=0.05)
    assert state.energy.mean() == pytest.approx(1.5 * kB * 300, rel=0.05)


def test_velocities_follow_each_replica_s_temperature() -> None:
    temperatures = np.array([100.0, 1000.0])
    run = replace(oscillators(2000, Thermostat(friction=0.05)), temperatures=np.repeat(temperatures, 1000))
    state = after(run, 300, seed=1)
    kinetic = atomic_masses[1] * (state.velocities**2).reshape(2, -1).mean(axis=1)
    np.testing.assert_allclose(kinetic, kB * temperatures, rtol=0.1)


def test_without_friction_a_spring_swings_as_it_must() -> None:
    run = oscillators(1, Thermostat(0.01, friction=0.0))
    omega, steps = np.sqrt(STIFF / atomic_masses[1]), 1000
    first = Replicas(
        np.arange(1), np.full((1, 1, 3), 0.1), np.zeros((1, 1, 3)), np.full((1, 1, 3), -STIFF * 0.1),
        np.array([STIFF / 2 * 0.03]), np.array([STIFF / 2 * 0.03]),
    )  # fmt: skip
    state, rng = first, np.random.default_rng(0)
    for _ in range(steps):
        state, _ = run.step(state, rng)
    np.testing.assert_allclose(state.positions, 0.1 * np.cos(omega * 0.01 * steps * fs), atol=1e-6)
    np.testing.assert_allclose(state.velocities, -0.1 * omega * np.sin(omega * 0.01 * steps * fs), atol=1e-6)


def test_what_the_bath_gives_is_no_loss_of_energy() -> None:
    run = oscillators(50, Thermostat(0.1, friction=0.05))
    state = after(run, 2000)
    loss = state.loss(run.masses)
    assert np.abs(loss).max() < 1e-4
    assert (state.energy + state.kinetic(run.masses)).std() > 100 * np.abs(loss).max()


def test_a_molecule_at_rest_neither_moves_nor_turns() -> None:
    rng = np.random.default_rng(0)
    for name in ("CH3OH", "CO2"):  # the second is linear
        atoms = molecule(name)
        masses, x = atoms.get_masses(), np.array([atoms.positions, atoms.positions + 3.0])
        v = at_rest(x, rng.normal(size=x.shape), masses)
        np.testing.assert_allclose(np.einsum("n,kna->ka", masses, v), 0, atol=1e-9)
        centred = x - np.einsum("n,kna->ka", masses, x)[:, None] / masses.sum()
        np.testing.assert_allclose(np.cross(centred, masses[:, None] * v).sum(axis=1), 0, atol=1e-9)
        again = at_rest(x, v, masses)
        np.testing.assert_allclose(again, v, atol=1e-9)
        assert (v**2).sum() > 0.1


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
    with pytest.raises(UsageError, match=r"(timestep|friction) of dynamics must be a finite number [>≥] 0"):
        Thermostat(**settings)
