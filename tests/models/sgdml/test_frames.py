import numpy as np
import pytest
import torch
from morse_molecule import NUMBERS, frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.sgdml import frames as wanted


def test_what_can_be_learnt_from_passes() -> None:
    wanted.check_training(frames(3), frames(2, 1))
    wanted.check_training(frames(3), frames(2)[[]])


def test_what_cannot_is_named() -> None:
    some = frames(3)
    with pytest.raises(UsageError, match="needs training frames, got none"):
        wanted.check_training(some[[]], some)
    atom = Frames.stack([2], np.zeros((1, 1, 3)), forces=np.zeros((1, 1, 3)))
    with pytest.raises(UsageError, match="it needs two atoms or more"):
        wanted.check_training(atom, atom)
    with pytest.raises(UsageError, match="validation frames: sGDML learns from forces: 2 of 2 frames"):
        wanted.check_training(some, frames(2).replace(forces=None))
    with pytest.raises(UsageError, match="sGDML does not see the charge"):
        wanted.check_training(some, frames(2).replace(charge=1))
    with pytest.raises(UsageError, match=r"training frames: .*finite"):
        wanted.check_training(some.replace(positions=np.where(np.eye(12, 3), np.nan, 0.0)), some)


def test_another_molecule_or_order_is_refused() -> None:
    wanted.require_molecule(frames(2), NUMBERS)
    other = Frames.stack(NUMBERS[::-1], np.zeros((2, 4, 3)))
    for wrong in (other, frames(1) + Frames.stack([1, 1], np.zeros((1, 2, 3)))):
        with pytest.raises(UsageError, match="one molecule, atoms in one order"):
            wanted.require_molecule(wrong, NUMBERS)


def test_the_order_of_atoms_is_told_where_it_is_all_that_differs() -> None:
    water = np.array([8, 1, 1])
    turned = Frames.stack([1, 8, 1], np.zeros((1, 3, 3)))
    with pytest.raises(UsageError, match="in one order: O H H, got H O H: reorder the atoms"):
        wanted.require_molecule(Frames.stack(water, np.zeros((1, 3, 3))) + turned, water)
    with pytest.raises(UsageError, match="in one order: O H H, got H2: fit one model per molecule"):
        wanted.require_molecule(Frames.stack([1, 1], np.zeros((1, 2, 3))), water)


def test_one_level_of_theory() -> None:
    assert wanted.one_level(frames(2)) == "morse"
    with pytest.raises(UsageError, match="one level of theory, got a, b"):
        wanted.one_level(frames(2).replace(level=["b", "a"]))


def test_weights_are_one_positive_number_per_frame() -> None:
    assert wanted.check_weights(None, 2).tolist() == [1.0, 1.0]
    assert wanted.check_weights([0, 2], 2).tolist() == [0.0, 2.0]  # type: ignore[arg-type]
    for wrong in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]):
        with pytest.raises(UsageError, match="weights must be 2 numbers ≥ 0, not all 0"):
            wanted.check_weights(np.array(wrong), 2)


def test_frames_become_tensors() -> None:
    some = frames(3)
    found = wanted.labelled(some, np.ones(3), 4, "cpu")
    assert found.positions.shape == (3, 4, 3)
    assert found.positions.dtype == torch.float64
    np.testing.assert_array_equal(found.forces.numpy().reshape(-1, 3), some.forces)
