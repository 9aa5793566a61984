from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md import PhysicalRange, Thermostat
from fidsel.md.replicas import ReplicaRun, surface_of

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 3)
MODEL = MMFFForceField(WATER)


def run(**given: object) -> ReplicaRun:
    made = ReplicaRun.of_model(MODEL, STARTS, [300.0, 500.0], Thermostat(), PhysicalRange())
    return replace(made, **given)  # type: ignore[arg-type]


def test_temperatures_are_taken_in_turn_and_bonds_from_the_starts() -> None:
    assert run().temperatures.tolist() == [300.0, 500.0, 300.0]
    assert sorted(tuple(sorted(pair)) for pair in run().bonds) == [(0, 1), (0, 2)]


def test_a_surface_is_the_model_of_the_same_atoms_charge_and_spin() -> None:
    energy, forces = surface_of(MODEL, STARTS)(STARTS.dense().positions)
    expected = MODEL.predict(STARTS)
    np.testing.assert_array_equal(energy, expected.energy)
    np.testing.assert_array_equal(forces.reshape(-1, 3), expected.forces)


def test_the_generator_decides() -> None:
    one, same, other = (
        [state.positions for state, _ in islice(run().steps(np.random.default_rng(seed)), 5)]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_replica_that_leaves_is_back_at_its_start() -> None:
    def push(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        forces = np.zeros_like(positions)
        forces[1, 1, 1] = 500.0  # tears one hydrogen off the second molecule
        return np.zeros(len(positions)), forces

    steps = run(surface=push, temperatures=np.full(3, 1.0)).steps(np.random.default_rng(0))
    state, left = next(found for found in steps if any(found[1]))
    assert (left[0], left[1], left[2]) == ("", "torn bond", "")
    np.testing.assert_array_equal(state.positions[1], run().starts[1])
    assert np.abs(state.positions[0] - run().starts[0]).max() < 0.2


def test_starts_must_be_in_the_physical_range() -> None:
    torn = STARTS.replace(positions=STARTS.positions * 0.1)
    with pytest.raises(UsageError, match="start 0 is out of the physical range"):
        ReplicaRun.of_model(MODEL, torn, [300.0], Thermostat(), PhysicalRange())
