"""Models that drive OpenMM."""

import numpy as np
import openmm
import pytest
from spring_systems import painn, shaken

from fidsel.md.openmm_force import KJ, openmm_force
from fidsel.models import EnergyReference, NetworkForceField

REFERENCE = EnergyReference({1: -100.0, 6: -100.0, 8: -100.0}, 3)


@pytest.fixture(scope="module")
def model() -> NetworkForceField:
    import torch

    return painn(1).replace(reference=REFERENCE).to(dtype=torch.float64)


def context_of(model: NetworkForceField, step: float) -> openmm.Context:
    atoms = shaken("CH3OH", 1)[0]
    system = openmm.System()
    for mass in atoms.get_masses():
        system.addParticle(mass)
    system.addForce(openmm_force(model, atoms))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(step / 1000), platform)
    context.setPositions(atoms.positions / 10)
    return context


def test_energy_and_forces_are_those_of_the_calculator(model: NetworkForceField) -> None:
    state = context_of(model, 0.5).getState(energy=True, forces=True)
    atoms = shaken("CH3OH", 1)[0]
    atoms.calc = model.calculator()
    assert state.getPotentialEnergy()._value * KJ == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    forces = state.getForces(asNumpy=True)._value * KJ / 10
    np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-10)


def test_openmm_conserves_the_energy_of_a_model(model: NetworkForceField) -> None:
    context = context_of(model, 0.1)
    context.setVelocitiesToTemperature(100.0, 1)
    energies = []
    for _ in range(20):
        context.getIntegrator().step(5)
        state = context.getState(energy=True)
        kinetic = state.getKineticEnergy()._value
        energies.append((state.getPotentialEnergy()._value * KJ, kinetic * KJ))
    total = np.sum(energies, axis=1)
    assert total.std() < 0.02 * np.std([kinetic for _, kinetic in energies])
