"""Dynamics of every own kind of model against ASE's integrators and statistical mechanics."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, network
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.units import fs, kB

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.difference import above
from fidsel.md.bonding import Bonding
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.samples import Samples
from fidsel.md.dynamics.simulation import simulate
from fidsel.md.dynamics.stops import Stops
from fidsel.md.langevin import Thermostat
from fidsel.models import SGDML, Ensemble, ForceField, Sum

STIFFNESS = 30.0
"""eV/Å², of the springs between all atoms of a water."""
MINIMUM = np.array([[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]])
FIRST, SECOND = np.triu_indices(3, 1)
REST = np.linalg.norm(MINIMUM[FIRST] - MINIMUM[SECOND], axis=1)
PATIENT = Stops(hot=np.inf, loss=np.inf)
KINDS = (*ARCHITECTURES, "painn in float32", "ensemble", "sgdml", "sum")


def springs(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return energies (n,) eV and forces (n, 3, 3) eV/Å of waters."""
    gap = x[:, FIRST] - x[:, SECOND]
    length = np.linalg.norm(gap, axis=-1)
    pull = (STIFFNESS * (REST - length) / length)[..., None] * gap
    forces = np.zeros_like(x)
    for pair, (i, j) in enumerate(zip(FIRST, SECOND, strict=True)):
        forces[:, i] += pull[:, pair]
        forces[:, j] -= pull[:, pair]
    return STIFFNESS / 2 * ((length - REST) ** 2).sum(axis=1), forces


class Springs(Calculator):
    """The same for ASE, of all waters there are."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def calculate(self, *given: Any) -> None:  # Any: ASE's
        super().calculate(*given)
        energy, forces = springs(self.atoms.positions.reshape(-1, 3, 3))
        self.results = {"energy": energy.sum(), "forces": forces.reshape(-1, 3)}


def labelled(n: int, seed: int) -> Frames:
    """Return waters near the minimum of the springs, with labels."""
    x = MINIMUM + 0.04 * np.random.default_rng(seed).normal(size=(n, 3, 3))
    energy, forces = springs(x)
    return Frames.stack([8, 1, 1], x, energy=energy, forces=forces, level="morse")


TRAIN, VALIDATION = labelled(40, 1), labelled(6, 2)


def model_of(kind: str) -> ForceField:
    """Return a small model, in float64 but where the kind says otherwise."""
    if kind in ARCHITECTURES:
        return network(kind)
    if kind == "painn in float32":
        return network("painn").to(dtype=torch.float32)
    if kind == "ensemble":
        return Ensemble([network("painn", 1), network("painn", 2)])
    if kind == "sgdml":
        return SGDML([10.0], symmetries=False).fit(TRAIN, VALIDATION)[0]
    painn = network("painn")
    left = [above(frames, painn.predict(frames)) for frames in (TRAIN, VALIDATION)]
    return Sum([painn, SGDML([10.0], symmetries=False).fit(*left)[0]], "morse")


@pytest.mark.parametrize("kind", KINDS)
def test_nve_drifts_by_less_than_1_mev_per_atom_and_ps(kind: str, tmp_path: Path) -> None:
    starts = VALIDATION[:3].unlabelled()
    own = ReplicaRun.of_model(model_of(kind), starts, [150.0], Thermostat(0.5, friction=0.0), PATIENT)
    scale = 1 / np.abs(own.labels[1]).max()  # an untrained network has forces of any size

    def held(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        (energy, forces), (more, pull) = own.surface(x), springs(x)
        return scale * energy + more, scale * forces + pull

    run = replace(own, surface=held)
    found = simulate(run, 200, 1, Samples(tmp_path / "nve", 3), every=2)
    assert found.survived == 1.0
    assert found.drift() < 1.0
    kinetic = found.samples.read()["kinetic"]
    assert kinetic.std() > 0.01  # eV: it moves


def test_one_step_is_that_of_ase_s_velocity_verlet() -> None:
    model = network("painn")
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
    start = TRAIN[:1].unlabelled()
    run = ReplicaRun(
        springs,
        start[np.zeros(10, int)],
        Bonding.same((), 10),
        np.full(10, 100.0),
        Thermostat(0.5, 0.05),
        PATIENT,
    )
    found = simulate(run, 600, 1, Samples(tmp_path / "bath", 3), every=5)
    rows = found.samples.read()
    late = rows["step"] > 200
    potential, kinetic = rows["energy"][late].mean(), rows["kinetic"][late].mean()
    atoms, energies = Atoms("OHH" * 10, np.tile(MINIMUM, (10, 1))), list[tuple[float, float]]()
    atoms.calc = Springs()
    bath = Langevin(
        atoms, 0.5 * fs, temperature_K=100.0, friction=0.05 / fs, rng=np.random.RandomState(0), fixcm=False
    )
    bath.attach(lambda: energies.append((atoms.get_potential_energy(), atoms.get_kinetic_energy())), 5)
    bath.run(600)
    ase_potential, ase_kinetic = np.array(energies[40:]).mean(axis=0) / 10
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
        spring,
        start,
        Bonding.same([(0, 1)], 1),
        np.array([1e-9]),
        Thermostat(0.05, 0.0),
        Stops(hot=np.inf, loss=np.inf),
    )
    found = simulate(run, 1000, 0, Samples(tmp_path / "swing", 2), every=1)
    rows = found.samples.read()
    length = np.linalg.norm(rows["positions"][:, 1] - rows["positions"][:, 0], axis=1)
    omega = np.sqrt(stiffness / (run.masses[0] / 2))
    expected = 0.74 + 0.06 * np.cos(omega * rows["step"] * 0.05 * fs)
    np.testing.assert_allclose(length, expected, atol=2e-4)
