"""Losses, stages, fit, bias weights and recipes."""

from fidsel.training.evaluate import Errors, errors
from fidsel.training.optimise.fit import fit, fit_members
from fidsel.training.recipes.asteroid import Asteroid
from fidsel.training.recipes.cokriging import Cokriging
from fidsel.training.recipes.delta import DeltaLearning
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.recipes.joint import Joint
from fidsel.training.recipes.standard import Standard
from fidsel.training.recipes.ttt_joint import TTTJoint
from fidsel.training.recipes.ttt_pretrain import TTTPretrain
from fidsel.training.recipes.unlabelled import AsteroidUnlabelled
from fidsel.training.recipes.usual import usual_recipe
from fidsel.training.stage import (
    History,
    Loss,
    ModelFactory,
    Recipe,
    Stage,
    Surrogate,
    Trained,
    TrainingData,
)

RECIPES: dict[str, type[Recipe]] = {
    recipe.kind: recipe
    for recipe in (
        Standard,
        Asteroid,
        AsteroidUnlabelled,
        Cokriging,
        DeltaLearning,
        Joint,
        TTTPretrain,
        TTTJoint,
    )
}
"""Recipes by the name configurations use."""

__all__ = [
    "RECIPES",
    "Asteroid",
    "AsteroidUnlabelled",
    "Cokriging",
    "DeltaLearning",
    "Errors",
    "History",
    "Joint",
    "Loss",
    "ModelFactory",
    "Recipe",
    "Stage",
    "Standard",
    "Surrogate",
    "TTTJoint",
    "TTTPretrain",
    "Trained",
    "TrainingData",
    "errors",
    "fit",
    "fit_members",
    "train_one",
    "usual_recipe",
]
