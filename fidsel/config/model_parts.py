"""From a `[model]` section to what builds untrained models."""

from functools import partial
from pathlib import Path

from fidsel.config.custom import build_own_model, own_model
from fidsel.config.models import (
    BuiltInModel,
    CustomModelSection,
    EnsembleSection,
    MACESection,
    ModelSection,
    NetworkSection,
    SGDMLSection,
)
from fidsel.models import MACE, MODELS, SGDML, Ensemble, ForceField
from fidsel.models.device import resolve
from fidsel.models.sgdml.force_field import SIGMAS
from fidsel.training.stage import ModelFactory

NOT_ARGUMENTS = {"kind", "device", "checkpoint", "head", "trust"}
"""Keys of a network's section that its class does not take."""


def model_factory(section: ModelSection, root: Path) -> ModelFactory:
    """Return what builds untrained models of a section, on its device; paths in it start at `root`.

    Raises
    ------
    UsageError
        where there is no such device, or a person's own class cannot be had or is no model.
    """
    device = resolve(device_of(section))
    if isinstance(section, CustomModelSection):
        factory = partial(_build_own, own_model(section.kind, root), section, device)
        factory(seed=0)
        return factory
    return partial(build_model, section, root=root)


def device_of(section: ModelSection) -> str:
    """Return where models of a section compute, as it is written there."""
    return (section.member if isinstance(section, EnsembleSection) else section).device


def build_model(section: BuiltInModel | EnsembleSection, seed: int, root: Path) -> ForceField:
    """Return a built-in model to train; paths in its section start at `root`."""
    if isinstance(section, EnsembleSection):
        return Ensemble.of(partial(build_model, section.member, root=root), section.members, seed)
    if isinstance(section, SGDMLSection):
        options = section.model_dump(exclude={"kind", "sigmas", "lam"})
        return SGDML(section.sigmas or SIGMAS, section.lam, **options)
    return _network(section, seed, root).to(section.device)


def _network(section: NetworkSection, seed: int, root: Path) -> ForceField:
    if isinstance(section, MACESection) and section.checkpoint is not None:
        return MACE.from_checkpoint(root / section.checkpoint, trust=section.trust, head=section.head)
    return MODELS[section.kind](**(section.model_dump(exclude=NOT_ARGUMENTS) | {"seed": seed}))


def _build_own(found: type[ForceField], section: CustomModelSection, device: str, seed: int) -> ForceField:
    return build_own_model(found, section.kind, section.options, seed).to(device)
