import numpy as np
from spring_systems import shaken

from fidsel.arrays import evenly
from fidsel.refine.system import systems


def test_frames_are_of_one_system_whatever_the_order_of_their_atoms() -> None:
    water = shaken("H2O", 2)
    turned = type(water).stack([1, 8, 1], water.positions.reshape(2, 3, 3)[:, [1, 0, 2]])
    found = systems(water + shaken("NH3", 1) + turned)
    assert [(one.name, one.rows.tolist()) for one in found] == [("H2O", [0, 1, 3, 4]), ("H3N", [2])]


def test_charges_are_told_where_formulas_are_the_same() -> None:
    water = shaken("H2O", 1)
    found = systems(water + water.replace(charge=1, spin=1))
    assert [one.name for one in found] == ["H2O (charge 0, spin 0)", "H2O (charge 1, spin 1)"]


def test_samples_are_rows_of_the_system() -> None:
    found = systems(shaken("NH3", 2) + shaken("H2O", 9))[1]
    assert found.rows[evenly(len(found.rows), 3)].tolist() == [2, 6, 10]
    np.testing.assert_array_equal(found.rows[evenly(len(found.rows), 50)], found.rows)
    assert systems(shaken("H2O", 1)[:0]) == ()
