"""From a `[model]` section to what builds untrained models."""

from functools import partial
from pathlib import Path

from fidsel.config.models import (
    BuiltInModel,
    CustomModelSection,
    EnsembleSection,
    ModelSection,
    SGDMLSection,
)
from fidsel.config.own import build_own_model, own_model
from fidsel.models import MODELS, SGDML, Ensemble, ForceField
from fidsel.models.sgdml import SIGMAS
from fidsel.training.stage import ModelFactory


def model_factory(section: ModelSection, root: Path) -> ModelFactory:
    """Return what builds untrained models of a section; paths in it start at `root`.

    Raises
    ------
    UsageError
        where a person's own class cannot be had or is no model.
    """
    if isinstance(section, CustomModelSection):
        factory = partial(build_own_model, own_model(section.kind, root), section.kind, section.options)
        factory(seed=0)
        return factory
    return partial(build_model, section)


def build_model(section: BuiltInModel | EnsembleSection, seed: int) -> ForceField:
    """Return an untrained built-in model."""
    if isinstance(section, EnsembleSection):
        return Ensemble.of(partial(build_model, section.member), section.members, seed)
    if isinstance(section, SGDMLSection):
        return SGDML(section.sigmas or SIGMAS, section.lam, symmetries=section.symmetries)
    return MODELS[section.kind](**(section.model_dump(exclude={"kind"}) | {"seed": seed}))
