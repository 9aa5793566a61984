"""Losses, stages, fit, bias weights and recipes."""

from fidsel.training.evaluate import Errors, errors
from fidsel.training.optimise.fit import fit, fit_members
from fidsel.training.recipes.asteroid import asteroid
from fidsel.training.recipes.cokriging import cokriging
from fidsel.training.recipes.delta import delta
from fidsel.training.recipes.dispatch import train_one
from fidsel.training.recipes.joint import joint
from fidsel.training.recipes.standard import standard
from fidsel.training.recipes.unlabelled import asteroid_unlabelled
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

RECIPES: dict[str, Recipe] = {
    "asteroid": asteroid,
    "asteroid-unlabelled": asteroid_unlabelled,
    "cokriging": cokriging,
    "delta": delta,
    "joint": joint,
    "standard": standard,
}
"""Recipes by the name configurations use."""

__all__ = [
    "RECIPES",
    "Errors",
    "History",
    "Loss",
    "ModelFactory",
    "Recipe",
    "Stage",
    "Surrogate",
    "Trained",
    "TrainingData",
    "asteroid",
    "asteroid_unlabelled",
    "cokriging",
    "delta",
    "errors",
    "fit",
    "fit_members",
    "joint",
    "standard",
    "train_one",
]
