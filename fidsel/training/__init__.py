"""Losses, stages, fit, bias weights and recipes."""

from fidsel.training.asteroid import asteroid
from fidsel.training.cokriging import cokriging
from fidsel.training.delta import delta
from fidsel.training.dispatch import train_one
from fidsel.training.evaluate import Errors, errors
from fidsel.training.fit import fit, fit_members
from fidsel.training.joint import joint
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
from fidsel.training.standard import standard
from fidsel.training.unlabelled import asteroid_unlabelled

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
