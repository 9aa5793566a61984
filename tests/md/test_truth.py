"""Dynamics of every own kind of model against ASE's integrators and statistical mechanics."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.units import fs, kB
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.harmonic import normal_modes
from fidsel.md.langevin import Thermostat
from fidsel.md.replicas import ReplicaRun
from fidsel.md.samples import Samples
from fidsel.md.simulation import simulate
from fidsel.md.stops import Stops
from fidsel.models import SGDML, Ensemble, ForceField, NetworkForceField, Sum
from fidsel.training import Stage, fit

WATER = from_smiles("O")
STAGE = Stage("short", steps=300, batch=10, learning_rate=1e-2, validate_every=50)
QUICK = replace(STAGE, steps=40, validate_every=20)
"""Of networks that hold a molecule together after less."""
PATIENT = Stops(hot=np.inf, loss=np.inf)
KINDS = (*ARCHITECTURES, "sgdml", "ensemble", "sum")


def labelled(n: int, seed: int) -> Frames:
    """Return waters near the minimum of MMFF94, with its labels."""
    frames = normal_modes(WATER, n, [300.0], seed, conformers=1).frames
    found = MMFFForceField(WATER).predict(frames)
    return frames.replace(energy=found.energy, forces=found.forces, level="accurate", group="")


TRAIN, VALIDATION = labelled(40, 1), labelled(6, 2)


@cache
def trained(kind: str) -> ForceField:
    """Return a small model of bonds between all atoms of water, in float64."""
    if kind == "sgdml":
        return SGDML([10.0], symmetries=False).fit(TRAIN, VALIDATION)[0]
    if kind == "ensemble":
        painn = trained("painn")
        return Ensemble([painn, painn])
    if kind == "sum":
        painn = trained("painn")
        left = [above(frames, painn.predict(frames)) for frames in (TRAIN, VALIDATION)]
        return Sum([painn, SGDML([10.0], symmetries=False).fit(*left)[0]], "accurate")
    stage = QUICK if kind in ("egnn", "gemnet") else STAGE
    model = fit(ARCHITECTURES[kind]("accurate", seed=1), TRAIN, VALIDATION, stage)[0]
    assert isinstance(model, NetworkForceField)
    return model.to(dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_nve_drifts_by_less_than_1_mev_per_atom_and_ps(kind: str, tmp_path: Path) -> None:
    run = ReplicaRun.of_model(
        trained(kind), VALIDATION[:3].unlabelled(), [150.0], Thermostat(0.5, friction=0.0), PATIENT
    )
    found = simulate(run, 400, 1, Samples(tmp_path / "nve", 3), every=3)
    assert found.survived == 1.0
    assert found.drift() < 1.0
    kinetic = found.samples.read()["kinetic"]
    assert kinetic.std() > 0.01  # eV: it moves


def test_one_step_is_that_of_ase_s_velocity_verlet() -> None:
    model = MMFFForceField(WATER)
    run = ReplicaRun.of_model(model, TRAIN[:1].unlabelled(), [300.0], Thermostat(0.7, friction=0.0), PATIENT)
    rng = np.random.default_rng(0)
    state = run.begin(rng)
    atoms = TRAIN[0]
    atoms.calc = model.calculator()
    atoms.set_velocities(state.velocities[0])
    verlet = VelocityVerlet(atoms, timestep=0.7 * fs)
    for _ in range(3):
        state, _ = run.step(state, rng)
        verlet.run(1)
        np.testing.assert_allclose(state.positions[0], atoms.positions, atol=1e-12)
        np.testing.assert_allclose(state.velocities[0], atoms.get_velocities(), atol=1e-12)


def test_averages_are_those_of_ase_s_langevin_and_of_equipartition(tmp_path: Path) -> None:
    model, start = MMFFForceField(WATER), TRAIN[:1].unlabelled()
    run = ReplicaRun.of_model(model, start[np.zeros(10, int)], [100.0], Thermostat(0.5, 0.05), PATIENT)
    found = simulate(run, 600, 1, Samples(tmp_path / "bath", 3), every=5)
    rows = found.samples.read()
    late = rows["step"] > 200
    potential, kinetic = rows["energy"][late].mean(), rows["kinetic"][late].mean()
    atoms, energies = start[0], list[tuple[float, float]]()
    atoms.calc = model.calculator()
    bath = Langevin(
        atoms, 0.5 * fs, temperature_K=100.0, friction=0.05 / fs, rng=np.random.RandomState(0), fixcm=False
    )
    bath.attach(lambda: energies.append((atoms.get_potential_energy(), atoms.get_kinetic_energy())), 5)
    bath.run(4000)
    ase_potential, ase_kinetic = np.array(energies[50:]).mean(axis=0)
    # nine degrees of freedom move, three of them vibrate; some hundred independent samples of each
    for found_kinetic, found_potential in ((kinetic, potential), (ase_kinetic, ase_potential)):
        assert found_kinetic == pytest.approx(4.5 * kB * 100, rel=0.15)
        assert found_potential == pytest.approx(1.5 * kB * 100, rel=0.25)


def test_a_harmonic_molecule_swings_with_its_frequency(tmp_path: Path) -> None:
    stiffness, start = 30.0, Frames.stack([1, 1], [[[0, 0, -0.4], [0, 0, 0.4]]])

    def spring(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gap = x[:, 1] - x[:, 0]
        length = np.linalg.norm(gap, axis=1, keepdims=True)
        pull = stiffness * (length - 0.74) * gap / length
        return (stiffness / 2 * (length - 0.74) ** 2)[:, 0], np.stack([pull, -pull], axis=1)

    run = ReplicaRun(
        spring, start, ((0, 1),), np.array([1e-9]), Thermostat(0.05, 0.0), Stops(hot=np.inf, loss=np.inf)
    )
    found = simulate(run, 1000, 0, Samples(tmp_path / "swing", 2), every=1)
    rows = found.samples.read()
    length = np.linalg.norm(rows["positions"][:, 1] - rows["positions"][:, 0], axis=1)
    omega = np.sqrt(stiffness / (run.masses[0] / 2))
    expected = 0.74 + 0.06 * np.cos(omega * rows["step"] * 0.05 * fs)
    np.testing.assert_allclose(length, expected, atol=2e-4)
