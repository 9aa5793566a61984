"""From a `[recipe]` section to what trains a model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fidsel.campaign.settings import CheapUse
from fidsel.config.levels import Level
from fidsel.config.model_parts import model_factory
from fidsel.config.models import EnsembleSection, ModelSection, SGDMLSection
from fidsel.config.recipes import (
    AsteroidSection,
    CokrigingSection,
    DeltaSection,
    JointSection,
    RecipeSection,
    StageSection,
    StandardSection,
    UnlabelledSection,
)
from fidsel.fidelity.source import LabelSource
from fidsel.training.recipes.asteroid import FINETUNE, IDENTIFY, PRETRAIN, asteroid
from fidsel.training.recipes.cokriging import RESIDUAL, SURROGATE, cokriging
from fidsel.training.recipes.delta import STAGE as CORRECTION
from fidsel.training.recipes.delta import delta
from fidsel.training.recipes.joint import STAGE as JOINT
from fidsel.training.recipes.joint import joint
from fidsel.training.recipes.standard import STAGE, standard
from fidsel.training.recipes.unlabelled import BASELINE, asteroid_unlabelled
from fidsel.training.stage import Recipe, Stage
from fidsel.training.weights.teachers import Teaching


def build_stage(section: StageSection, default: Stage) -> Stage:
    """Return a training stage: the recipe's own, with what the section gives."""
    given = section.model_dump(exclude_none=True)
    names = {"rho": "rho", "force_loss": "force", "energy_loss": "energy"}
    loss = {name: given.pop(key) for key, name in names.items() if key in given}
    return replace(default, **given, loss=replace(default.loss, **loss))


def build_recipe(
    section: RecipeSection, root: Path, cheap_source: Callable[[], LabelSource] | None = None
) -> Recipe:
    """Return the recipe of a `[recipe]` section; paths in it start at `root`.

    Parameters
    ----------
    cheap_source : builds the label source of the dearest cheap level, for recipes that compute labels.
    """
    match section:
        case StandardSection():
            return partial(standard, stage=build_stage(section.stage, STAGE))
        case AsteroidSection():
            return partial(
                asteroid,
                identify=build_stage(section.identify, IDENTIFY),
                pretrain=build_stage(section.pretrain, PRETRAIN),
                finetune=build_stage(section.finetune, FINETUNE),
                gammas=section.gammas,
                relative_to=section.relative_to,
                energy_labels=section.energy_labels,
                held_out=section.held_out,
                bias_weights=section.bias_weights,
                teaching=Teaching(**section.teaching.model_dump()),
                fine_tune=section.fine_tune,
            )
        case UnlabelledSection():
            return partial(
                asteroid_unlabelled,
                temperature=section.temperature,
                baseline=build_stage(section.baseline, BASELINE),
                pretrain=build_stage(section.pretrain, PRETRAIN),
                finetune=build_stage(section.finetune, FINETUNE),
                held_out=section.held_out,
                fine_tune=section.fine_tune,
            )
        case DeltaSection():
            source = None if cheap_source is None else cheap_source()
            return partial(delta, source=source, stage=build_stage(section.stage, CORRECTION))
        case JointSection():
            return partial(
                joint,
                stage=build_stage(section.stage, JOINT),
                share=section.share,
                held_out=section.held_out,
                finetune=build_stage(section.finetune, FINETUNE) if section.fine_tune else None,
            )
        case CokrigingSection():
            return partial(
                cokriging,
                surrogate=None if section.surrogate is None else model_factory(section.surrogate, root),
                stage=build_stage(section.stage, RESIDUAL),
                surrogate_stage=build_stage(section.surrogate_stage, SURROGATE),
                held_out=section.held_out,
                bias_weights=section.bias_weights,
                gamma=section.gamma,
            )


def cheap_use(section: RecipeSection) -> CheapUse:
    """Return what a recipe takes of the cheap levels of a campaign."""
    match section:
        case StandardSection():
            return "none"
        case UnlabelledSection():
            return "frames"
        case DeltaSection():
            return "pairs"
    return "labels"


def levels_bought(use: CheapUse, levels: Sequence[Level]) -> tuple[Level, ...]:
    """Return the levels of a campaign that its recipe trains on; no other part asks for cheap labels.

    The error source "cheap" goes with recipes that take the labels of all levels.
    """
    if use == "labels":
        return tuple(levels)
    return tuple(levels[-2:] if use == "pairs" else levels[-1:])


def build_control(section: RecipeSection, levels: int = 1) -> Recipe:
    """Return standard training as the control arm does it: as long as the whole recipe.

    A network takes as many optimiser steps on accurate labels as the recipe's stages take together, with
    the batch and all else as in the stage of the recipe that starts from random parameters.

    Parameters
    ----------
    levels : cheap levels that the recipe trains on, each for a stage's steps where it goes by levels.
    """
    first, steps = _length(section, levels)
    return partial(standard, stage=replace(first, name=STAGE.name, steps=steps))


def _is_kernel(section: ModelSection | None) -> bool:
    """Return whether a model is known to take no optimiser steps."""
    if isinstance(section, EnsembleSection):
        return _is_kernel(section.member)
    return isinstance(section, SGDMLSection)


def _length(section: RecipeSection, levels: int) -> tuple[Stage, int]:
    """Return the stage of a recipe that accurate labels are first learnt in, and the steps of all stages."""
    match section:
        case AsteroidSection():
            first, cheap = build_stage(section.identify, IDENTIFY), build_stage(section.pretrain, PRETRAIN)
            taught = section.bias_weights or section.energy_labels == "teacher"
            steps = taught * first.steps + levels * cheap.steps
        case UnlabelledSection():
            first, cheap = build_stage(section.baseline, BASELINE), build_stage(section.pretrain, PRETRAIN)
            steps = first.steps + levels * cheap.steps
        case CokrigingSection():
            first = build_stage(section.stage, RESIDUAL)
            cheap = build_stage(section.surrogate_stage, SURROGATE)
            learns = not _is_kernel(section.surrogate)
            steps = (1 + section.bias_weights) * first.steps + learns * levels * cheap.steps
        case JointSection():
            first = build_stage(section.stage, JOINT)
            steps = first.steps
        case DeltaSection():
            first = build_stage(section.stage, CORRECTION)
            steps = first.steps
        case StandardSection():
            first = build_stage(section.stage, STAGE)
            steps = first.steps
    if isinstance(section, (AsteroidSection, UnlabelledSection, JointSection)) and section.fine_tune:
        steps += build_stage(section.finetune, FINETUNE).steps
    return first, steps
