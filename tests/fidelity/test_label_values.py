from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from fidsel.fidelity.label_values import LONGEST, energy_of, forces_of, plain_text


class WithUnits:
    units = "eV"


@pytest.mark.parametrize("value", [-1.5, np.float32(-1.5), np.array([[-1.5]]), np.array(-1.5)])
def test_one_number_in_any_dress_is_an_energy(value: Any) -> None:
    found = energy_of(value)
    assert (found, type(found)) == (-1.5, float)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "one number in eV, got none"),
        (True, "got bool"),
        ([1.0], "got list"),
        (np.array([1.0, 2.0]), r"array of shape \(2,\)"),
        (np.nan, "must be finite, got nan"),
        (np.array([1j]), "must be real numbers"),
        ("-76.0", "must be real numbers, got str"),
        (WithUnits(), "got one with units: convert it"),
        (np.ma.array([1.0], mask=[True]), "got a masked array"),
        (Decimal("-76.0"), "must be real numbers, got Decimal"),
    ],
)
def test_what_is_no_energy_is_named(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        energy_of(value)


def test_forces_are_contiguous_doubles() -> None:
    found = forces_of(np.asfortranarray(np.ones((2, 3), dtype=np.float32)))
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    assert forces_of([[0, 1, 2]]).tolist() == [[0.0, 1.0, 2.0]]
    with pytest.raises(ValueError, match="forces must be finite"):
        forces_of([[0.0, np.inf, 0.0]])
    with pytest.raises(ValueError, match="forces must be numbers, got list"):
        forces_of([[0.0], [0.0, 1.0]])


def test_texts_are_bounded_and_can_be_stored() -> None:
    assert plain_text("a\ud800b") == "a\\ud800b"
    assert plain_text("tab\tand\nline") == "tab\tand\nline"
    assert plain_text("x" * 5000) == "x" * LONGEST + "... (5000 characters)"
