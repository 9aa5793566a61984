import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import REST, SWAP, frames
from scipy.spatial.distance import pdist

from fidsel.data import Frames
from fidsel.models import SGDML, Ensemble, ForceField, Offset, PaiNN, Sum, load
from fidsel.models.ranges import ElementRanges, ExtrapolationWarning, furthest
from fidsel.training import Stage, fit

TRAIN, NONE = frames(30), frames(0)
STAGE = Stage(steps=4, batch=4, validate_every=4)


def stretched(oxygen: float) -> Frames:
    """Return H₂CO with the oxygen at a distance from the carbon, Å."""
    positions = REST.copy()
    positions[1, 0] = oxygen
    return Frames.stack([6, 8, 1, 1], positions[None])


def kernel() -> SGDML:
    return SGDML([10.0], symmetries=[SWAP]).fit(TRAIN, NONE)[0]


def network(seed: int = 0, train: Frames = TRAIN) -> PaiNN:
    return fit(PaiNN(features=4, layers=1, seed=seed), train, frames(5, 1), STAGE)[0]


@pytest.mark.parametrize("build", [kernel, network])
def test_training_frames_are_inside_and_a_long_bond_is_as_far_out_as_it_is_long(build: type) -> None:
    model: ForceField = build()
    assert model.extrapolation(TRAIN).tolist() == [0.0] * 30
    bond = np.linalg.norm(TRAIN.dense().positions[:, 0] - TRAIN.dense().positions[:, 1], axis=1)
    farthest = model.extrapolation(stretched(4.0))[0]
    assert farthest >= 4.0 - bond.max() - 1e-9
    assert model.extrapolation(stretched(0.8))[0] >= bond.min() - 0.8 - 1e-9


def test_a_kernel_heeds_its_symmetries_and_a_network_elements_alone() -> None:
    swapped = TRAIN.replace(positions=TRAIN.dense().positions[:, SWAP].reshape(-1, 3))
    assert kernel().extrapolation(swapped).tolist() == [0.0] * 30
    model = network()
    water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    assert model.distances is not None
    low, high = model.distances.known[1, 8]
    assert model.extrapolation(water)[0] == pytest.approx(
        max(low - 0.96, model.distances.known[1, 1][0] - pdist(water.positions[1:])[0]), abs=1e-9
    )
    assert high > low
    nitrogen = Frames.stack([7, 1], [[[0, 0, 0], [1.0, 0, 0]]])
    assert model.extrapolation(nitrogen).tolist() == [np.inf]
    apart = Frames.stack([7, 1], [[[0, 0, 0], [9.0, 0, 0]]])
    assert model.extrapolation(apart).tolist() == [0.0], "beyond the cutoff no distance is seen"


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_ranges_of_two_sets_are_those_of_both(seed: int) -> None:
    one, other = frames(4, seed), Frames.stack([8, 1, 1], np.random.default_rng(seed).normal(size=(3, 3, 3)))
    joint, both = (
        ElementRanges.of(one, 5.0) | ElementRanges.of(other, 5.0),
        ElementRanges.of(one + other, 5.0),
    )
    assert joint == both
    assert [found.by for found in furthest([both], one + other)] == [0.0] * 7
    assert ElementRanges.from_state(both.state(), 5.0) == both


@pytest.mark.parametrize("build", [kernel, network])
def test_files_keep_the_ranges(build: type, tmp_path: Path) -> None:
    model: ForceField = build()
    far = stretched(3.0)
    assert load(model.save(tmp_path)).extrapolation(far).tolist() == model.extrapolation(far).tolist()


def test_models_that_do_not_know_say_so() -> None:
    settings, tensors = network().state()
    settings["distances"] = None  # as after a training on crystals
    untold = PaiNN.from_state({**settings, "level": "morse"}, tensors)
    assert np.isnan(untold.extrapolation(TRAIN[:2])).all()
    assert np.isnan(Offset.matching(TRAIN).extrapolation(TRAIN[:2])).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        atoms = stretched(3.0)[0]
        atoms.calc = untold.calculator()
        atoms.get_potential_energy()


def test_sums_and_ensembles_are_as_far_out_as_their_farthest_part() -> None:
    near, far = kernel(), SGDML([10.0], symmetries=[SWAP]).fit(TRAIN[:3], NONE)[0]
    some = frames(20, 7)
    expected = np.maximum(near.extrapolation(some), far.extrapolation(some))
    whole = Sum([near, far, Offset.matching(TRAIN)], "morse")
    np.testing.assert_array_equal(whole.extrapolation(some), expected)
    np.testing.assert_array_equal(Ensemble([near, far]).extrapolation(some), expected)


def test_stages_add_what_they_have_seen() -> None:
    wide = TRAIN.replace(positions=1.1 * TRAIN.positions)
    model = network(train=TRAIN)
    again, _ = fit(model, wide, frames(5, 1), STAGE)
    assert model.extrapolation(wide).max() > 0
    assert again.extrapolation(TRAIN + wide).max() == 0


def test_the_calculator_warns_once_with_numbers_and_not_inside() -> None:
    atoms, model = stretched(1.21)[0], kernel()
    atoms.calc = model.calculator()
    atoms.get_potential_energy()
    atoms.positions[1, 0] = 3.5
    low, high = (value[0] for value in model.seen[0].limits(atoms.numbers))
    said = rf"atoms 0 \(C\) and 1 \(O\) are 3.50 Å apart, {low:.2f} to {high:.2f} Å in the frames"
    with pytest.warns(ExtrapolationWarning, match=said) as caught:
        atoms.get_potential_energy()
    assert len(caught) == 1
    atoms.positions[1, 0] = 3.6
    atoms.get_potential_energy()


def test_frames_next_to_those_learnt_are_not_far() -> None:
    found = furthest(kernel().seen, frames(200, 11))
    assert np.mean([one.far for one in found]) < 0.05
    assert np.mean([one.by > 0 for one in found]) > 0.1
