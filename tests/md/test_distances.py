"""Distances, bonds and angles of known frames."""

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.md.distances import WIDTH, angles_of, degrees, distribution

RIGHT = np.array([[[0.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]]])
BONDS = ((0, 1), (0, 2))


def test_a_right_angle_between_bonds_of_one() -> None:
    found = distribution([RIGHT, RIGHT], BONDS)
    assert found.frames == 2
    assert found.density.sum() * WIDTH == pytest.approx(1)
    filled = np.flatnonzero(found.density)
    np.testing.assert_allclose(found.density[filled] * WIDTH, [2 / 3, 1 / 3])
    for value, middle in zip((1.0, np.sqrt(2)), found.middles[filled], strict=True):
        assert abs(value - middle) <= WIDTH / 2 + 1e-9
    np.testing.assert_allclose(found.bonds, [[1, 0], [1, 0]], atol=1e-7)
    np.testing.assert_allclose(found.angles, [[90, 0]], atol=1e-5)


def test_two_distributions_are_apart_by_the_area_between_them() -> None:
    one, longer = distribution([RIGHT], BONDS), distribution([1.5 * RIGHT], BONDS)
    assert one.apart(one) == 0
    assert one.apart(longer) == pytest.approx(2) == longer.apart(one)
    half = distribution([np.concatenate([RIGHT, 1.5 * RIGHT])], BONDS)
    assert half.apart(one) == pytest.approx(1)
    compared = longer.compared(one)
    assert compared["bond_mean_mae"] == pytest.approx(0.5)
    assert compared["angle_mean_mae"] == pytest.approx(0, abs=1e-6)
    assert half.compared(one)["bond_spread_mae"] == pytest.approx(0.25)


def test_angles_are_those_between_bonds() -> None:
    assert angles_of([(1, 0), (1, 2), (1, 3)]).tolist() == [[0, 1, 2], [0, 1, 3], [2, 1, 3]]
    straight = np.array([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]])
    assert degrees(straight, angles_of([(0, 1), (1, 2)])).tolist() == [[180.0]]


def test_single_atoms_have_no_distances() -> None:
    assert distribution([np.zeros((3, 1, 3))], ()).density.sum() == 0
    with pytest.raises(UsageError, match="needs frames"):
        distribution([], BONDS)
