from dataclasses import replace

import numpy as np
import pytest
from mmff_force_field import MMFFForceField

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md import Thermostat
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.stops import Exit, Stops
from fidsel.md.langevin import Replicas

WATER = from_smiles("O")
STARTS = Frames.stack(WATER.numbers, [[[0, 0, 0.12], [0, 0.76, -0.47], [0, -0.76, -0.47]]] * 3)
MODEL = MMFFForceField(WATER)


def run(stops: Stops = Stops(), **given: object) -> ReplicaRun:  # noqa: B008 - it is frozen
    made = ReplicaRun.of_model(MODEL, STARTS, [300.0, 500.0], Thermostat(), stops)
    return replace(made, **given)  # type: ignore[arg-type]


def states(made: ReplicaRun, steps: int, seed: int = 0) -> tuple[list[Replicas], list[Exit]]:
    """Return the state after each step, and all that have ended."""
    rng = np.random.default_rng(seed)
    found, ended = [made.begin(rng)], list[Exit]()
    for _ in range(steps):
        state, left = made.step(found[-1], rng)
        found.append(state)
        ended += left
    return found[1:], ended


def test_temperatures_are_taken_in_turn_and_bonds_from_the_starts() -> None:
    assert run().temperatures.tolist() == [300.0, 500.0, 300.0]
    assert sorted(tuple(sorted(pair)) for pair in run().bonds.kinds[0]) == [(0, 1), (0, 2)]


def test_the_generator_decides() -> None:
    one, same, other = ([state.positions for state in states(run(), 5, seed)[0]] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def push(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tear one hydrogen off each molecule that is not the first of its batch."""
    forces = np.zeros_like(positions)
    forces[1:2, 1, 1] = 500.0
    return np.zeros(len(positions)), forces


CALM = {"surface": push, "temperatures": np.full(3, 1.0)}
PATIENT = Stops(hot=np.inf, loss=np.inf)


def test_a_replica_that_leaves_is_back_at_its_start() -> None:
    rng, made = np.random.default_rng(0), run(PATIENT, anew=True, **CALM)
    state, left = made.begin(rng), ()
    while not left:
        state, left = made.step(state, rng)
    assert [(one.replica, one.cause) for one in left] == [(1, "torn bond")]
    assert np.abs(state.positions[1] - made.starts[1]).max() < 1e-9
    assert np.abs(state.positions[0] - made.starts[0]).max() < 0.2
    assert len(state) == 3


def test_a_replica_that_leaves_is_gone_and_the_others_do_not_notice() -> None:
    one = run(PATIENT, surface=lambda x: (np.zeros(len(x)), np.zeros_like(x)), temperatures=np.full(3, 1.0))
    undisturbed, _ = states(one, 60)
    found, ended = states(run(PATIENT, **CALM), 60)
    gone = {exit_.replica for exit_ in ended}
    assert gone == {1, 2}  # once the second is gone the third stands in its place
    np.testing.assert_array_equal(found[-1].positions[0], undisturbed[-1].positions[0])
    assert found[-1].rows.tolist() == [0]
    assert ended[0].positions[1, 1] > 2.0


def test_what_blows_up_is_named() -> None:
    hot, left = states(run(Stops(hot=1.2), thermostat=Thermostat(friction=0.2)), 100)
    assert len(left) == 3
    assert {one.cause for one in left} == {"temperature"}
    assert all(one.detail.endswith(" K") for one in left)
    assert len(hot[-1]) == 0
    rough = replace(run(Stops(loss=1e-6)), thermostat=Thermostat(2.0))
    assert {one.cause for one in states(rough, 20)[1]} == {"energy drift"}

    def broken(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        energy, forces = np.zeros(len(positions)), np.zeros_like(positions)
        energy[(positions != STARTS.dense().positions[: len(positions)]).any(axis=(1, 2))] = np.nan
        return energy, forces

    assert {one.cause for one in states(run(surface=broken), 2)[1]} == {"not finite"}


def test_a_model_without_an_answer_for_its_starts_is_told() -> None:
    nothing = run(surface=lambda x: (np.full(len(x), np.nan), x))
    with pytest.raises(FidselError, match="3 of 3 starts, the first being start 0"):
        nothing.begin(np.random.default_rng(0))


def test_nve_begins_at_rest_and_conserves() -> None:
    made = replace(run(), thermostat=Thermostat(0.25, friction=0.0))
    found, ended = states(made, 200)
    assert not ended
    drift = np.abs([state.loss(made.masses) for state in found])
    assert drift.max() < 5e-3
    momentum = np.einsum("n,kna->ka", made.masses, found[-1].velocities)
    np.testing.assert_allclose(momentum, 0, atol=1e-4)


def test_starts_must_be_in_the_physical_range() -> None:
    torn = STARTS.replace(positions=STARTS.positions * 0.1)
    with pytest.raises(UsageError, match="start 0 is out of the physical range"):
        ReplicaRun.of_model(MODEL, torn, [300.0], Thermostat(), Stops())
