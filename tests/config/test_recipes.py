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
    ("kind", "settings", "levels", "steps", "batch"),
    [
        ("standard", {"stage": {"steps": 7}}, 1, 7, 10),
        ("standard", {}, 1, 4000, 10),
        ("delta", {"stage": {"batch": 3}}, 1, 4000, 3),
        ("asteroid", {}, 1, 5000, 10),
        ("asteroid", {}, 2, 8000, 10),
        ("asteroid", {"bias_weights": True}, 1, 7000, 10),
        ("asteroid", {"energy_labels": "teacher", "fine_tune": False}, 1, 5000, 10),
        ("asteroid", {"identify": {"batch": 4}, "finetune": {"steps": 1}}, 1, 3001, 4),
        ("asteroid-unlabelled", {"temperature": 500.0}, 1, 7000, 10),
        ("joint", {}, 2, 5000, 16),
        ("joint", {"stage": {"batch": 8}, "fine_tune": True}, 1, 7000, 8),
        ("cokriging", {}, 1, 8000, 10),
        ("cokriging", {"bias_weights": True, "surrogate_stage": {"steps": 10}}, 2, 8020, 10),
        ("cokriging", {"surrogate": {"kind": "sgdml"}}, 1, 4000, 10),
        ("cokriging", {"surrogate": {"kind": "ensemble", "member": {"kind": "sgdml"}}}, 1, 4000, 10),
        ("cokriging", {"surrogate": {"kind": "ensemble"}}, 1, 8000, 10),
    ],
)
def test_the_control_arm_is_trained_as_long_as_the_whole_recipe(
    kind: str, settings: dict[str, object], levels: int, steps: int, batch: int
) -> None:
    stage = control(section(kind, **settings).build(Path()), levels).stage
    assert (stage.name, stage.steps, stage.batch, stage.learning_rate) == ("train", steps, batch, 4e-3)
