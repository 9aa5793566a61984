"""From a `[recipe]` section to what trains a model."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from fidsel.config.model_parts import model_factory
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
from fidsel.training.asteroid import FINETUNE, IDENTIFY, PRETRAIN, asteroid
from fidsel.training.cokriging import cokriging
from fidsel.training.delta import STAGE as CORRECTION
from fidsel.training.delta import delta
from fidsel.training.joint import STAGE as JOINT
from fidsel.training.joint import joint
from fidsel.training.stage import Recipe, Stage
from fidsel.training.standard import STAGE, standard
from fidsel.training.teachers import Teaching
from fidsel.training.unlabelled import BASELINE, asteroid_unlabelled


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
                stage=build_stage(section.stage, STAGE),
                surrogate_stage=build_stage(section.surrogate_stage, STAGE),
                held_out=section.held_out,
                bias_weights=section.bias_weights,
                gamma=section.gamma,
            )


def build_control(section: RecipeSection) -> Recipe:
    """Return standard training as the control arm does it, of the length of the recipe's first stage."""
    match section:
        case AsteroidSection():
            given = section.identify
        case UnlabelledSection():
            given = section.baseline
        case _:
            given = section.stage
    return partial(standard, stage=build_stage(given, STAGE))
