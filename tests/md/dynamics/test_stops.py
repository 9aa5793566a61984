"""Where a model is unsure, and what that ends."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from mmff_force_field import MMFFForceField
from spring_systems import painn, shaken

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md.dynamics.replicas import ReplicaRun
from fidsel.md.dynamics.stops import MARGIN, NO_DOUBT, UNCERTAIN, ClusterBounds, Doubt, Stops
from fidsel.md.langevin import Thermostat
from fidsel.models import EnergyReference, Ensemble, ForceField

WATERS = shaken("H2O", 4)
REFERENCE = EnergyReference({1: -100.0, 8: -100.0}, 3)


def network(seed: int) -> ForceField:
    """Return an untrained network that has seen waters."""
    return painn(seed).replace(reference=REFERENCE).having_seen(WATERS)


def stretched(by: float) -> Frames:
    """Return a water with a bond longer by so much than it ever was in training."""
    x = WATERS[:1].positions.copy()
    longest = max(atoms.get_distance(0, 1) for atoms in WATERS)
    longest = max(longest, *(atoms.get_distance(0, 2) for atoms in WATERS))
    x[1] = x[0] + (longest + by) * (x[1] - x[0]) / np.linalg.norm(x[1] - x[0])
    return WATERS[:1].replace(positions=x)


def test_a_distance_outside_of_training_is_found() -> None:
    model = network(1)
    both = WATERS[:1] + stretched(0.3)
    ((row, said),) = Doubt(outside=0.2).of(model, both)
    assert row == 1
    assert said.startswith("atoms 0, 1 at ")
    assert said.endswith("0.30 Å outside of training")
    assert list(Doubt(outside=0.4).of(model, stretched(0.3))) == []
    assert [row for row, _ in Doubt(far=True).of(model, WATERS[:1] + stretched(2.0))] == [1]


def test_a_committee_that_disagrees_is_found() -> None:
    committee = Ensemble([network(1), network(2)])
    apart = committee.disagreement(WATERS).frame_forces
    limit = float(np.sort(apart)[-2:].mean())
    found = list(Doubt(disagreement=limit).of(committee, WATERS))
    assert [row for row, _ in found] == [int(apart.argmax())]
    assert found[0][1] == f"forces of the committee {apart.max():.3f} eV/Å apart"


def test_usual_limits_are_those_of_what_the_model_knows() -> None:
    committee = Ensemble([network(1), network(2)])
    usual = NO_DOUBT.completed(committee, WATERS)
    assert usual.disagreement == MARGIN * committee.disagreement(WATERS).frame_forces.max()
    assert usual.far
    given = Doubt(disagreement=0.5, outside=0.2).completed(committee, WATERS)
    assert (given.disagreement, given.outside, given.far) == (0.5, 0.2, False)
    unknowing = NO_DOUBT.completed(MMFFForceField(from_smiles("O")), WATERS)
    assert (unknowing.disagreement, unknowing.far) == (inf, False)


def test_a_limit_that_a_model_cannot_be_held_to_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a committee, got a painn model"):
        Doubt(disagreement=1.0).require(network(1))
    with pytest.raises(UsageError, match="does not know the distances"):
        Doubt(outside=1.0).require(MMFFForceField(from_smiles("O")))
    with pytest.raises(UsageError, match="disagreement > 0"):
        Doubt(disagreement=0.0)
    with pytest.raises(UsageError, match="hot > 1"):
        Stops(hot=1.0)


def test_a_cluster_with_large_errors_is_found() -> None:
    far = ClusterBounds(np.array([0.1, 0.5]), lambda frames: (frames.positions[::3, 0] > 1).astype(np.int64))
    moved = stretched(0.0).replace(positions=WATERS[:1].positions + np.array([2.0, 0, 0])) + WATERS[1:]
    doubt = Doubt(bound=0.3, bounds=far)
    doubt.require(network(1))
    assert list(doubt.of(network(1), moved)) == [(0, "in a cluster of errors up to 0.500 eV/Å")]
    assert list(replace(doubt, bound=0.5).of(network(1), moved)) == []
    with pytest.raises(UsageError, match="needs a model of a campaign, got a painn model alone"):
        Doubt(bound=0.3).require(network(1))


def test_doubt_ends_a_replica_when_it_is_asked_for() -> None:
    stops = Stops(hot=inf, loss=inf, doubt=Doubt(outside=0.0, every=3))
    run = ReplicaRun.of_model(network(1), WATERS, [300.0], Thermostat(), stops)
    rng = np.random.default_rng(0)
    state, left = run.begin(rng), ()
    while not left:
        state, left = run.step(state, rng)
        assert state.step < 100
    assert state.step % 3 == 0
    assert {one.cause for one in left} == {UNCERTAIN}
    ended = [one.replica for one in left]
    assert sorted(ended + state.rows.tolist()) == [0, 1, 2, 3]
    frames = run.frames[ended].replace(positions=np.concatenate([one.positions for one in left]))
    assert (network(1).extrapolation(frames) > 0).all()
