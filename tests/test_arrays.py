from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike

from fidsel.arrays import FloatArray, html_table, numbers_of, read_only, shown
from fidsel.exceptions import UsageError


@dataclass(frozen=True)
class Curve:
    values: FloatArray
    steps: tuple[int, ...]
    name: str = "loss"

    __repr__ = shown


def test_arrays_are_shown_by_shape_and_long_sequences_by_length() -> None:
    assert repr(Curve(np.zeros((400, 3)), (1, 2))) == "Curve(values (400, 3), steps=(1, 2), name='loss')"
    assert (
        repr(Curve(np.zeros(0), tuple(range(200)), "mae")) == "Curve(values (0,), steps of 200, name='mae')"
    )


def test_cells_are_escaped_and_nothing_is_a_dash() -> None:
    shown = html_table("a & b", ("x", "<y>"), [(1, None), (0.123456, "<b>")], ["note & more"])
    assert shown == (
        "<table><caption>a &amp; b</caption><tr><th>x</th><th>&lt;y&gt;</th></tr>"
        "<tr><td>1</td><td>–</td></tr><tr><td>0.1235</td><td>&lt;b&gt;</td></tr></table>"
        "<ul><li>note &amp; more</li></ul>"
    )


@pytest.mark.parametrize("given", ["8", ["O"], [8.5], [np.nan], [1j], [[1], [1, 2]], None])
def test_what_is_no_whole_number_is_refused(given: ArrayLike) -> None:
    with pytest.raises(UsageError, match="z must be whole numbers, got "):
        numbers_of("z", given, np.int64)


def test_numbers_of_any_kind_are_copied_and_unknown_ones_are_nan() -> None:
    given = np.ones(2)
    found = numbers_of("x", given, np.float64)
    found[0] = 5
    assert given.tolist() == [1, 1]
    assert numbers_of("z", np.float32([8, 1]), np.int64).tolist() == [8, 1]
    assert np.isnan(numbers_of("energy", [None, 1.0], np.float64)).tolist() == [True, False]
    assert numbers_of("level", "dft", np.str_) == "dft"


def test_arrays_of_a_value_become_read_only_and_those_it_was_made_of_do_not() -> None:
    given = np.zeros(2)
    made = Curve(given, (1, 2))
    read_only(made, "values")
    with pytest.raises(ValueError, match="read-only"):
        made.values[0] = 1
    given[0] = 1
    assert made.values.tolist() == [1, 0]
