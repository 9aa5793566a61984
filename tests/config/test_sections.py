"""Sections of fidsel.toml that are made from classes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from fidsel.arguments import Internal, PositiveInt, check_arguments
from fidsel.config.models import LEARNERS
from fidsel.config.recipes import RECIPE_SECTIONS
from fidsel.config.sections import ClassSection, described, section
from fidsel.config.selectors import SELECTOR_SECTIONS
from fidsel.exceptions import UsageError
from fidsel.models import MODELS
from fidsel.selector import PICKERS
from fidsel.training import RECIPES


@dataclass(frozen=True)
class Heat:
    """How hot.

    Parameters
    ----------
    degrees, minutes : K, and for how
        long.
    """

    degrees: PositiveInt = 400
    minutes: PositiveInt = 10


HOT = Heat(500)


@dataclass(frozen=True)
class Cake:
    """A cake (baked
    at home).

    Made of what is given.

    Parameters
    ----------
    layers : at least one.
    heat : of the oven.
    recipe : where it is written.
    eggs : not said.

    Raises
    ------
    UsageError
        layers : without any.
    """

    layers: PositiveInt
    heat: Heat = HOT
    recipe: Path | None = None
    eggs: Annotated[int, Internal] = field(default=3)

    def __post_init__(self) -> None:
        check_arguments(self)
        if self.layers > 9:
            raise UsageError(f"a cake of {self.layers} layers falls over")


class Baked(ClassSection):
    """What is baked."""

    checked = True


CAKE: Any = section("cake", Cake, Baked)


def test_descriptions_are_those_of_the_docstring() -> None:
    summary, words = described(Cake)
    assert summary == "A cake (baked at home)."
    assert words == {
        "layers": "At least one.",
        "heat": "Of the oven.",
        "recipe": "Where it is written.",
        "eggs": "Not said.",
    }
    assert described(Heat)[1] == dict.fromkeys(("degrees", "minutes"), "K, and for how long.")


def test_arguments_are_keys_and_come_back_as_an_instance() -> None:
    found = CAKE(layers=2, recipe="cake.txt", heat={"minutes": 20})
    assert found.kind == "cake"
    assert found.build(Path("home")) == Cake(2, Heat(500, 20), Path("home/cake.txt"))
    assert CAKE(layers=1).build(Path()) == Cake(1)
    schema = CAKE.model_json_schema()
    assert set(schema["properties"]) == {"kind", "layers", "heat", "recipe"}
    assert schema["required"] == ["layers"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layers": 0}, "greater than 0"),
        ({"layers": 10}, "a cake of 10 layers falls over"),
        ({"layers": 1, "eggs": 2}, "unknown key 'eggs'"),
        ({"layers": 1, "heat": {"degree": 300}}, "unknown key 'degree': did you mean 'degrees'"),
        ({"layers": 1, "heat": {"degrees": 0}}, "greater than 0"),
    ],
)
def test_what_the_class_refuses_is_refused_in_a_file(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CAKE(**given)


SECTIONS: list[tuple[type[ClassSection], Callable[..., Any]]] = [
    *((LEARNERS[kind], MODELS[kind]) for kind in LEARNERS),
    *((RECIPE_SECTIONS[kind], RECIPES[kind]) for kind in RECIPES),
    *((SELECTOR_SECTIONS[kind], PICKERS[kind]) for kind in PICKERS),
]


@pytest.mark.parametrize(("found", "made"), SECTIONS, ids=lambda one: getattr(one, "__name__", ""))
def test_every_argument_of_a_built_in_class_is_described(
    found: type[ClassSection], made: Callable[..., Any]
) -> None:
    summary, words = described(made)
    assert summary.endswith(".")
    assert len(summary) < 120
    assert set(found.own_keys) <= set(words), "say under Parameters what each is"


@pytest.mark.parametrize("kind", PICKERS)
def test_a_picker_is_the_same_from_python_and_from_a_file(kind: str) -> None:
    assert SELECTOR_SECTIONS[kind](kind=kind).build(Path()) == PICKERS[kind]()


def test_the_models_that_can_be_trained_have_sections() -> None:
    assert set(LEARNERS) == set(MODELS) - {
        "average",
        "baseline",
        "by-system",
        "ensemble",
        "offset",
        "predictions",
        "sum",
    }
