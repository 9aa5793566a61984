import numpy as np
import pytest

from fidsel.data.checks.quick import quick_check
from fidsel.testing import example_frames
from fidsel.testing.example import springs


def test_forces_are_the_slope_of_the_energy() -> None:
    xyz = example_frames(5).positions.reshape(5, 3, 3)
    _, forces = springs(xyz)
    for atom, axis in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[atom, axis] = 1e-5
        slope = (springs(xyz + step)[0] - springs(xyz - step)[0]) / 2e-5
        assert np.allclose(forces[:, atom, axis], -slope, atol=1e-4)


@pytest.mark.parametrize("cheap", [False, True])
def test_nothing_is_odd_about_them(cheap: bool) -> None:
    assert quick_check(example_frames(200, 3, cheap=cheap)) == ()


def test_levels_share_configurations_and_differ_in_their_springs() -> None:
    accurate, cheap = example_frames(10), example_frames(10, cheap=True)
    assert accurate.ids == cheap.ids
    assert np.allclose(cheap.forces, 0.9 * accurate.forces)
    assert (accurate.level[0], cheap.level[0]) == ("accurate", "cheap")
    assert example_frames(10, 1).ids != accurate.ids
