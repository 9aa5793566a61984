import json
from dataclasses import asdict, dataclass
from math import inf, nan
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from fidsel.arguments import (
    Bound,
    Fraction,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    check_arguments,
    plain,
    refuse_unused,
)
from fidsel.exceptions import UsageError


@dataclass(frozen=True)
class Oven:
    """An oven.

    Parameters
    ----------
    trays : how many.
    """

    trays: PositiveInt = 2
    heat: PositiveFloat | None = None
    lag: NonNegativeFloat = 0.0
    share: Fraction = 0.5
    steps: tuple[PositiveFloat, ...] = ()
    mode: Literal["bake", "grill"] = "bake"
    fan: bool = False
    speed: Annotated[float, Bound(ge=1, le=3)] = 1.0

    def __post_init__(self) -> None:
        check_arguments(self, " of the oven")
        refuse_unused(self, "fan", "speed")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trays": 0}, "trays of the oven must be a whole number > 0, got 0"),
        ({"trays": 1.5}, r"trays of the oven must be a whole number > 0, got 1\.5"),
        ({"heat": inf}, "heat of the oven must be a finite number > 0, got inf"),
        ({"heat": "hot"}, "heat of the oven must be a finite number > 0, got 'hot'"),
        ({"lag": nan}, "lag of the oven must be a finite number ≥ 0, got nan"),
        ({"share": 1.0}, r"share of the oven must be a finite number > 0 and < 1, got 1\.0"),
        ({"steps": (1.0, -1.0)}, r"steps of the oven must be a finite number > 0, got -1\.0"),
        ({"steps": 1.0}, r"steps of the oven must be a sequence, such as \(1\.0,\), got 1\.0"),
        ({"mode": "gril"}, "unknown mode of the oven 'gril', did you mean 'grill'"),
        ({"fan": True, "speed": 4.0}, "speed of the oven must be a finite number ≥ 1 and ≤ 3"),
        ({"speed": 2.0}, "speed: of use with fan = true alone; give both or neither"),
    ],
)
def test_what_an_annotation_does_not_allow_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Oven(**given)


def test_what_it_allows_is_taken() -> None:
    made = Oven(trays=np.int64(3), heat=None, share=np.float64(0.2), steps=(1, 2.5), fan=True, speed=3)
    assert (made.trays, made.steps, made.speed) == (3, (1, 2.5), 3)


def test_numbers_of_numpy_become_pythons_own() -> None:
    made = Oven(np.int64(3), np.float32(0.5), np.float64(1), steps=np.array([1.0, 2.0]), speed=np.int32(1))  # type: ignore[arg-type]
    assert json.dumps(asdict(made)) == json.dumps(asdict(Oven(3, 0.5, 1.0, steps=(1.0, 2.0), speed=1)))
    assert plain(made) is made
    assert plain(True) is True
    assert Bound().require("x", np.float32(0.25)) == 0.25
    with pytest.raises(UsageError, match=r"^x must be a whole number, got 0\.25$"):
        Bound().require("x", 0.25, whole=True)


@pytest.mark.parametrize("given", [{"trays": 0}, {"share": 1}, {"steps": [0]}, {"heat": -1}])
def test_a_file_is_checked_by_the_same_bounds(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Oven).validate_python(given)
    assert TypeAdapter(Oven).json_schema()["properties"]["trays"]["exclusiveMinimum"] == 0
