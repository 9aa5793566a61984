"""From sections of the configuration to label sources, models, pickers and pools."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ase import Atoms

from fidsel.config.levels import (
    CalculatorLevel,
    CustomLevel,
    Level,
    ModelLevel,
    OpenMMLevel,
    PriceConfig,
    PySCFLevel,
    TableLevel,
)
from fidsel.config.schema import (
    Config,
    ModelSection,
    PaiNNSection,
    PoolSection,
    SelectorSection,
    SGDMLSection,
)
from fidsel.data import Frames, Units, read
from fidsel.errors import UsageError
from fidsel.fidelity.calculator import CalculatorSource
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.molecule import Molecule, from_atoms, from_smiles
from fidsel.fidelity.openmm_source import MMFFSource, SystemSource
from fidsel.fidelity.pyscf_source import PySCFSource
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.table import TableSource
from fidsel.models import SGDML, ForceField, PaiNN
from fidsel.models.sgdml import SIGMAS
from fidsel.models.source import ModelSource
from fidsel.selector import ClusterError, Random
from fidsel.selector.pool import Picker
from fidsel.testing.picker import check_picker
from fidsel.training.stage import ModelFactory


def build_fidelity(level: Level, pool: PoolSection, root: Path) -> Fidelity:
    """Return the fidelity a `[[fidelity]]` section describes; paths in it start at `root`."""
    price = level.price or PriceConfig()
    source = build_source(level, pool, root)
    return Fidelity(level.name, source, Price(price.value, price.per), level.time_limit, level.threads)


def build_source(level: Level, pool: PoolSection, root: Path) -> LabelSource:
    """Return the label source of a level."""
    match level:
        case TableLevel():
            forces_key = level.forces_key if level.forces else None
            return TableSource(
                root / level.path, level.energy_key, forces_key, units(level.units), level.forces
            )
        case OpenMMLevel(system=None):
            return MMFFSource(molecule(pool, root, level.name), level.variant)
        case OpenMMLevel(system=str(path)):
            return SystemSource(root / path)
        case PySCFLevel():
            skip = {"name", "price", "time_limit", "kind"}
            return PySCFSource(**level.model_dump(exclude=skip))
        case CalculatorLevel():
            return CalculatorSource(level.calculator, level.parameters, level.forces, level.threads)
        case ModelLevel():
            return ModelSource(root / level.path)
        case CustomLevel():
            return _checked_source(own_class(level.kind, "label source")(**level.options), level.kind)
    raise UsageError(f"no source for fidelity kind {level.kind!r}")


def units(text: str | None) -> Units | None:
    """Return units from "energy,length", None for none."""
    return None if text is None else Units.parse(text)


def molecule(pool: PoolSection, root: Path, name: str) -> Molecule:
    """Return the molecule of the pool; its first frame tells it where the pool is a file."""
    if pool.smiles is not None:
        return from_smiles(pool.smiles)
    if pool.structure is not None:
        return from_atoms(read_structure(root / pool.structure), pool.charge)
    if pool.path is None:
        raise UsageError(f"fidelity {name!r} needs the molecule: give pool.smiles or pool.structure")
    return from_atoms(read_pool(pool, root)[0], pool.charge)


def read_structure(path: Path) -> Atoms:
    """Return the last structure of a file in any format ASE reads."""
    from ase.io import iread

    try:
        *_, structure = iread(path)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"the structure {path} cannot be read: {error}") from error
    return structure


def read_pool(pool: PoolSection, root: Path) -> Frames:
    """Return the configurations of a pool that is a file, without labels."""
    if pool.path is None:
        raise UsageError("a pool from a file needs pool.path")
    frames = read(root / pool.path, units=units(pool.units)).unlabelled()
    return frames if pool.frames is None else frames[: pool.frames]


def build_model(section: ModelSection, seed: int) -> ForceField:
    """Return an untrained model of a `[model]` section."""
    match section:
        case SGDMLSection():
            return SGDML(section.sigmas or SIGMAS, section.lam, symmetries=section.symmetries)
        case PaiNNSection():
            return PaiNN(features=section.features, layers=section.layers, cutoff=section.cutoff, seed=seed)
    made = own_class(section.kind, "model")(**section.options)
    if not isinstance(made, ForceField):
        raise UsageError(
            f"model {section.kind!r} must be a fidsel.models.ForceField, got {type(made).__name__}"
        )
    return made


def model_factory(section: ModelSection) -> ModelFactory:
    """Return what builds untrained models of a `[model]` section."""

    def factory(seed: int) -> ForceField:
        return build_model(section, seed)

    return factory


def build_picker(section: SelectorSection) -> Picker:
    """Return the picker of a `[selector]` section."""
    if section.kind == "random":
        return Random()
    if section.kind == "cluster-error":
        return ClusterError(strategy=section.strategy, n_fine=section.fine_clusters)
    picker: Picker = own_class(section.kind, "picker")(**section.options)
    check_picker(picker)
    return picker


def own_class(kind: str, what: str) -> Callable[..., Any]:
    """Return a person's own class, named "package.module:Class".

    Raises
    ------
    UsageError
        where it cannot be imported.
    """
    module, _, name = kind.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{what} {kind!r} cannot be imported ({error}): is its folder on PYTHONPATH?"
        ) from error
    return found


def _checked_source(source: Any, kind: str) -> LabelSource:
    missing = [name for name in ("forces", "settings", "label") if not hasattr(source, name)]
    if missing:
        raise UsageError(f"label source {kind!r} lacks {', '.join(missing)}; see fidsel.fidelity.LabelSource")
    checked: LabelSource = source
    return checked


def plain(config: Config) -> Mapping[str, Any]:
    """Return the expanded configuration as plain values."""
    return config.model_dump(mode="json")
