"""From a `[model]` section to what builds untrained models."""

from functools import partial
from pathlib import Path

from fidsel.config.models import (
    BuiltInModel,
    CustomModelSection,
    EnsembleSection,
    MACESection,
    ModelSection,
    SGDMLSection,
)
from fidsel.config.own import build_own_model, own_model
from fidsel.models import MACE, MODELS, SGDML, Ensemble, ForceField
from fidsel.models.sgdml import SIGMAS
from fidsel.training.stage import ModelFactory

FROM_FILE = {"checkpoint", "head", "trust"}
"""Keys of a section that are about a model in a file, not about a new one."""


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
    return partial(build_model, section, root=root)


def build_model(section: BuiltInModel | EnsembleSection, seed: int, root: Path) -> ForceField:
    """Return a built-in model to train; paths in its section start at `root`."""
    if isinstance(section, EnsembleSection):
        return Ensemble.of(partial(build_model, section.member, root=root), section.members, seed)
    if isinstance(section, SGDMLSection):
        options = section.model_dump(exclude={"kind", "sigmas", "lam"})
        return SGDML(section.sigmas or SIGMAS, section.lam, **options)
    if isinstance(section, MACESection) and section.checkpoint is not None:
        return MACE.from_checkpoint(root / section.checkpoint, trust=section.trust, head=section.head)
    return MODELS[section.kind](**(section.model_dump(exclude=FROM_FILE | {"kind"}) | {"seed": seed}))
