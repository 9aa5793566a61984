"""Rows of a table as configurations, and what is said of those that are none."""

import numpy as np
import pytest
from pandas import DataFrame

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.tracking.pyfunc import frames_of

WATER = [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]


def test_a_row_is_a_configuration() -> None:
    box = np.diag([3.0, 4.0, 5.0])
    rows = DataFrame(
        {
            "numbers": [[8, 1, 1], np.array([1])],
            "positions": [WATER, [[0.0, 0.0, 1.0]]],
            "cell": [box, box.tolist()],
            "pbc": [[True] * 3, [True, False, False]],
            "charge": [0, 1],
            "spin": [0, 2],
        }
    )
    found = frames_of(rows)
    assert (found.numbers.tolist(), found.offsets.tolist()) == ([8, 1, 1, 1], [0, 3, 4])
    assert found.positions.tolist() == [*WATER, [0, 0, 1]]
    assert (found.charge.tolist(), found.spin.tolist()) == ([0, 1], [0, 2])
    assert (found.cell == box).all()
    assert found.pbc.tolist() == [[True] * 3, [True, False, False]]
    assert frames_of(rows[["numbers", "positions"]]).ids[0] == Frames.stack([8, 1, 1], [WATER]).ids[0]


@pytest.mark.parametrize("positions", [WATER[:2], [[0.0, 0.0], *WATER[1:]], np.zeros((3, 2)), [0.0] * 9])
def test_a_row_without_three_coordinates_for_each_atom_is_named(positions: object) -> None:
    rows = DataFrame({"numbers": [[8, 1, 1]] * 2, "positions": [WATER, positions]})
    with pytest.raises(UsageError, match="positions must be 3 rows of three numbers, row 1 of the table has"):
        frames_of(rows)
