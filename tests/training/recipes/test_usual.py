from pkgutil import iter_modules
from types import ModuleType

import pytest

import fidsel.training.recipes
from fidsel.models import MODELS
from fidsel.training import RECIPES, Asteroid, usual_recipe


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_a_model_can_be_trained_by_the_recipe_it_usually_takes(kind: str) -> None:
    for cheap in (0, 1, 2):
        RECIPES[usual_recipe(MODELS[kind], cheap)].require(MODELS[kind], cheap)
    assert usual_recipe(MODELS[kind], 0) == "standard"


def test_networks_usually_learn_all_levels_at_once() -> None:
    assert {usual_recipe(MODELS[kind], 1) for kind in ("painn", "schnet", "egnn", "gemnet")} == {"joint"}
    assert usual_recipe(MODELS["mace"], 1) == "asteroid"
    assert {usual_recipe(model, 1) for model in (MODELS["sgdml"], MODELS["ensemble"], None)} == {"cokriging"}


def test_modules_of_recipes_are_not_hidden_by_what_they_export() -> None:
    assert Asteroid().finetune == fidsel.training.recipes.asteroid.FINETUNE
    for module in iter_modules(fidsel.training.recipes.__path__):
        assert isinstance(getattr(fidsel.training.recipes, module.name), ModuleType), module.name
    assert not {module.name for module in iter_modules(fidsel.training.__path__)} & set(
        fidsel.training.__all__
    )
