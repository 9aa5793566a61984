from typing import Any

import numpy as np
import pytest

from fidsel.data.formats.electrons import electrons
from fidsel.exceptions import UsageError


@pytest.mark.parametrize("name", ["charge", "total_charge", "Charge", "TOT_CHARGE", "net_charge"])
@pytest.mark.parametrize("value", [-1, -1.0, "-1", "-1.0", " -1 ", np.array([-1]), np.float32(-1)])
def test_charges_of_all_spellings(name: str, value: Any) -> None:
    assert electrons({name: value}, "here")[:2] == (-1, None)


@pytest.mark.parametrize(
    ("info", "spin"),
    [
        ({"spin": "2"}, 2),
        ({"multiplicity": 3}, 2),
        ({"spin_multiplicity": "1"}, 0),
        ({"spin": 1, "mult": 2}, 1),
        ({}, None),
    ],
)
def test_a_multiplicity_is_one_more_than_the_spin(info: dict[str, Any], spin: int | None) -> None:
    assert electrons(info, "here").spin == spin


@pytest.mark.parametrize(
    ("info", "match"),
    [
        ({"charge": 0.5}, "charge must be a whole number, got '0.5'"),
        ({"charge": "0.5"}, "charge must be a whole number"),
        ({"charge": "neutral"}, "charge must be a whole number, got 'neutral'"),
        ({"charge": True}, "charge must be a whole number"),
        ({"charge": np.array([0.1, -0.1])}, "charge must be a whole number"),
        ({"charge": "1e300"}, "charge must be a whole number"),
        ({"charge": float("nan")}, "charge must be a whole number"),
        ({"multiplicity": 0}, r"multiplicity must be 2S \+ 1 ≥ 1, got 0"),
        (
            {"charge": 1, "total_charge": -1},
            "the charge is told in two ways .charge says 1, total_charge says -1",
        ),
        ({"spin": 1, "multiplicity": 1}, "the spin is told in two ways"),
    ],
)
def test_what_is_no_charge_is_refused(info: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=f"here: {match}"):
        electrons(info, "here")
