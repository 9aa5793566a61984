import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fidsel.data import Frames
from fidsel.fidelity.inbox.differences import nearest, what_differs

PEROXIDE = Frames.stack([1, 8, 8, 1], [[[0.9, 0.6, 0], [0, 0.7, 0], [0, -0.7, 0], [0.2, -0.9, 0.9]]])


def changed(positions: np.ndarray) -> Frames:
    return PEROXIDE.replace(positions=positions)


TURN = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
ORDER = [3, 1, 2, 0]


@pytest.mark.parametrize(("came", "words"), [
    (PEROXIDE.replace(numbers=[1, 16, 8, 1]), "another molecule, H2OS instead of H2O2"),
    (PEROXIDE.replace(charge=-1), "charge: -1 instead of 0"),
    (PEROXIDE.replace(spin=2), r"unpaired electrons \(2S\): 2 instead of 0"),
    (PEROXIDE.replace(pbc=True, cell=[9 * np.eye(3)]), "its cell or its periodic directions are others"),
    (changed(PEROXIDE.positions + np.array([0.3, 0, 0.4])), "moved by 0.5 Å: leave the atoms"),
    (changed(PEROXIDE.positions @ TURN.T), "rotated, or is its mirror image: leave the atoms"),
    (changed(PEROXIDE.positions * [1, 1, -1]), "rotated, or is its mirror image"),
    (changed((PEROXIDE.positions @ TURN.T)[ORDER]), "rotated, or is its mirror image"),
    (changed(PEROXIDE.positions + np.array([[0.02, 0, 0], *[[0, 0, 0]] * 3])), "differ by up to 0.02 Å"),
])  # fmt: skip
def test_what_differs_is_said(came: Frames, words: str) -> None:
    assert re.search(words, what_differs(PEROXIDE, came))


def test_the_nearest_is_that_of_the_same_shape() -> None:
    known = PEROXIDE + changed(PEROXIDE.positions * 1.1) + PEROXIDE.replace(numbers=[1, 16, 8, 1])
    assert nearest(known, changed(1.09 * PEROXIDE.positions @ TURN.T)).ids == (known.ids[1],)
    assert nearest(known, Frames.stack([2], [[[0, 0, 0]]])).ids == (known.ids[0],)
