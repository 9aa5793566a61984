from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from fidsel.config.recipes import RecipeSection, RecipeSettings
from fidsel.training import RECIPES
from fidsel.training.recipes.standard import control

NEEDED = {"asteroid-unlabelled": {"temperature": 500.0}}


def section(kind: str, **settings: object) -> RecipeSection:
    found: RecipeSection = TypeAdapter(RecipeSettings).validate_python({"kind": kind, **settings})
    return found


@pytest.mark.parametrize("kind", sorted(RECIPES))
def test_a_recipe_is_the_same_from_python_and_from_a_file(kind: str) -> None:
    needed: dict[str, Any] = NEEDED.get(kind, {})
    assert section(kind, **needed).build(Path()) == RECIPES[kind](**needed)


@pytest.mark.parametrize(
    ("kind", "settings", "levels", "stages", "batch"),
    [
        ("standard", {}, 1, 1, 10),
        ("delta", {"stage": {"batch": 3}}, 1, 1, 3),
        ("asteroid", {}, 1, 2, 10),
        ("asteroid", {}, 2, 3, 10),
        ("asteroid", {"bias_weights": True}, 1, 3, 10),
        ("asteroid", {"energy_labels": "teacher", "fine_tune": False}, 1, 2, 10),
        ("asteroid-unlabelled", {"temperature": 500.0}, 1, 3, 10),
        ("joint", {}, 2, 1, 16),
        ("joint", {"stage": {"batch": 8}, "fine_tune": True}, 1, 2, 8),
        ("cokriging", {}, 1, 2, 10),
        ("cokriging", {"bias_weights": True}, 2, 4, 10),
        ("cokriging", {"surrogate": {"kind": "sgdml"}}, 1, 1, 10),
        ("cokriging", {"surrogate": {"kind": "ensemble", "member": {"kind": "sgdml"}}}, 1, 1, 10),
        ("cokriging", {"surrogate": {"kind": "ensemble"}}, 1, 2, 10),
    ],
)
def test_the_control_arm_is_trained_as_long_as_the_whole_recipe(
    kind: str, settings: dict[str, object], levels: int, stages: int, batch: int
) -> None:
    recipe = section(kind, **settings).build(Path())
    bounded = recipe.bounded(levels, steps=70, minutes=6.0)
    assert [stage.minutes for stage in bounded.stages(levels)] == [6.0 / stages] * stages
    stage = control(bounded, levels).stage
    assert (stage.name, stage.steps, stage.batch, stage.learning_rate) == ("train", 70 * stages, batch, 4e-3)
    assert stage.minutes == pytest.approx(6.0)
    free = control(recipe, levels).stage
    assert (free.steps, free.minutes) == (None, None)
