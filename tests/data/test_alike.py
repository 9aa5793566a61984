"""Frames of the same atoms in the same order."""

import numpy as np

from fidsel.data import Frames
from fidsel.data.alike import alike

HYDROXYL = Frames.stack([8, 1], np.zeros((3, 2, 3))).replace(charge=[0, -1, 0])
TURNED = Frames.stack([1, 8], np.zeros((1, 2, 3)))


def test_the_order_of_atoms_and_the_columns_named_count() -> None:
    frames = TURNED + HYDROXYL
    assert [rows.tolist() for rows in alike(frames)] == [[0], [1, 2, 3]]
    assert [rows.tolist() for rows in alike(frames, "charge")] == [[0], [1, 3], [2]]
    spins = frames.replace(spin=[0, 1, 0, 1])
    assert [rows.tolist() for rows in alike(spins, "charge", "spin")] == [[0], [1, 3], [2]]


def test_only_the_rows_asked_for_are_taken() -> None:
    assert [rows.tolist() for rows in alike(HYDROXYL, among=np.array([2, 1]))] == [[2, 1]]
    assert alike(HYDROXYL, among=()) == []
