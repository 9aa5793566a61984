"""From sections of the configuration to label sources, models, pickers and pools."""

from pathlib import Path

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
from fidsel.config.own import own_picker, own_source
from fidsel.config.schema import PoolSection
from fidsel.config.selectors import (
    ClusterErrorSection,
    CustomSelectorSection,
    LCMDSection,
    Selector,
)
from fidsel.data import Frames, Units, read
from fidsel.data.geometry import sound
from fidsel.data.read import require_file
from fidsel.errors import UsageError
from fidsel.fidelity.calculator import CalculatorSource
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.molecule import Molecule, from_atoms, from_smiles
from fidsel.fidelity.openmm_source import MMFFSource, SystemSource
from fidsel.fidelity.pyscf_source import PySCFSource
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.table import TableSource
from fidsel.models.source import ModelSource
from fidsel.selector import LCMD, PICKERS, ClusterError
from fidsel.selector.pool import Picker


def build_fidelity(level: Level, pool: PoolSection, root: Path) -> Fidelity:
    """Return the fidelity a `[[fidelity]]` section describes; paths in it start at `root`."""
    price = level.price or PriceConfig()
    try:
        source = build_source(level, pool, root)
    except UsageError as error:
        raise UsageError(f"fidelity {level.name!r}: {error}") from error
    return Fidelity(level.name, source, Price(price.value, price.per), level.time_limit, level.threads)


def build_source(level: Level, pool: PoolSection, root: Path) -> LabelSource:
    """Return the label source of a level."""
    source: LabelSource
    match level:
        case TableLevel():
            keys = level.energy_key, level.forces_key if level.forces else None
            source = _with_labels(TableSource(root / level.path, *keys, units(level.units), level.forces))
        case OpenMMLevel(system=None):
            source = MMFFSource(molecule(pool, root), level.variant)
        case OpenMMLevel():
            source = SystemSource(root / str(level.system))
        case PySCFLevel():
            source = PySCFSource(**level.model_dump(exclude={"name", "price", "time_limit", "kind"}))
        case CalculatorLevel():
            source = CalculatorSource(level.calculator, level.parameters, level.forces, level.threads)
        case ModelLevel():
            source = ModelSource(root / level.path)
        case CustomLevel():
            source = own_source(level.kind, level.options, root)
    return source


def _with_labels(table: TableSource) -> TableSource:
    """Return a table, read once so that what it lacks is said before anything is bought."""
    frames = table.frames()
    if len(frames) == 0:
        raise UsageError(f"no frame of {table.path} has an energy; name them by energy_key and forces_key")
    if table.forces and not frames.has_forces.any():
        raise UsageError(
            f"no frame of {table.path} has forces; name them by forces_key, or say forces = false"
        )
    return table


def units(text: str | None) -> Units | None:
    """Return units from "energy,length", None for none."""
    return None if text is None else Units.parse(text)


def molecule(pool: PoolSection, root: Path) -> Molecule:
    """Return the molecule of the pool; its first frame tells it where the pool is only a file."""
    if pool.smiles is not None:
        return from_smiles(pool.smiles)
    if pool.structure is not None:
        return from_atoms(read_structure(root / pool.structure), pool.charge)
    return from_atoms(read_pool(pool, root)[0], pool.charge)


def read_structure(path: Path) -> Atoms:
    """Return the last structure of a file in any format ASE reads."""
    from ase.io import iread
    from ase.io.formats import UnknownFileTypeError

    require_file(path)
    try:
        *_, structure = iread(path)
    except UnknownFileTypeError as error:
        raise UsageError(
            f"the structure {path} has an ending that ASE knows no format for: take xyz, mol, sdf, pdb, cif, "
            "or another of `ase info --formats`"
        ) from error
    except Exception as error:  # isolation boundary: ASE's readers raise what they like
        raise UsageError(f"the structure {path} cannot be read: {error or type(error).__name__}") from error
    return structure


def read_pool(pool: PoolSection, root: Path) -> Frames:
    """Return the configurations of a pool that is a file, without labels."""
    if pool.path is None:
        raise UsageError("a pool from a file needs pool.path")
    frames = read(root / pool.path, units=units(pool.units)).unlabelled()
    if wrong := sound(frames)[0]:
        raise UsageError(f"the pool {root / pool.path} has frames that cannot be: {wrong[0].message}")
    return frames if pool.frames is None else frames[: pool.frames]


def build_picker(section: Selector, root: Path) -> Picker:
    """Return the picker of a `[selector]` section."""
    match section:
        case CustomSelectorSection():
            return own_picker(section.kind, section.options, root)
        case ClusterErrorSection():
            return ClusterError(strategy=section.strategy, n_fine=section.fine_clusters)
        case LCMDSection():
            return LCMD(section.weights)
    return PICKERS[section.kind]()
