"""From sections of the configuration to label sources, models, pickers and pools."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from fidsel.config.custom import own_source
from fidsel.config.levels import (
    CalculatorLevel,
    CustomLevel,
    Level,
    ModelLevel,
    OpenMMLevel,
    PriceConfig,
    PySCFLevel,
    TableLevel,
    TBLiteLevel,
)
from fidsel.config.memory import PYSCF_SHARE, parse_bytes
from fidsel.config.schema import PoolSection
from fidsel.data import Frames, read_with_notes
from fidsel.data.checks.geometry import sound
from fidsel.data.reading import log_notes, read_structure
from fidsel.data.state import State
from fidsel.data.units import parse_units
from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.molecules.molecule import Molecule, from_atoms, from_smiles
from fidsel.fidelity.source import LabelSource
from fidsel.fidelity.sources.calculator import CalculatorSource
from fidsel.fidelity.sources.openmm import MMFFSource, SystemSource
from fidsel.fidelity.sources.pyscf import PySCFSource
from fidsel.fidelity.sources.table import TableSource
from fidsel.fidelity.sources.tblite import TBLiteSource
from fidsel.models.source import ModelSource
from fidsel.training.stage import CheapUse

NO_SETTINGS = {"name", "price", "time_limit", "memory_limit", "kind"}
"""Keys of a level that are no settings of its source."""


def build_fidelity(level: Level, pool: PoolSection, root: Path, memory: int | None = None) -> Fidelity:
    """Return the fidelity a `[[fidelity]]` section describes; paths in it start at `root`.

    `memory` is what one of its labels may hold, bytes, where the section does not say.
    """
    price = level.price or PriceConfig()
    limit = memory if level.memory_limit is None else parse_bytes(level.memory_limit)
    try:
        source = build_source(level, pool, root, limit)
    except UsageError as error:
        raise UsageError(f"fidelity {level.name!r}: {error}") from error
    terms = Price(price.value, price.per)
    return Fidelity(level.name, source, terms, level.time_limit, level.threads, memory_limit=limit)


def build_source(level: Level, pool: PoolSection, root: Path, memory: int | None = None) -> LabelSource:
    """Return the label source of a level, whose labels may hold some bytes of memory."""
    source: LabelSource
    match level:
        case TableLevel():
            keys = level.energy_key, level.forces_key if level.forces else None
            table = TableSource(
                root / level.path, *keys, parse_units(level.units), level.forces, level.tolerance
            )
            known = state(pool, root, others=True)
            source = _with_labels(
                replace(table, state=known, name=level.name, trust_labels=level.trust_labels)
            )
        case OpenMMLevel(system=None):
            source = MMFFSource(molecule(pool, root), level.variant)
        case OpenMMLevel():
            source = SystemSource(root / str(level.system))
        case PySCFLevel():
            source = PySCFSource(**level.model_dump(exclude=NO_SETTINGS))
            if memory is not None:
                source = replace(source, memory=max(1, min(source.memory, int(PYSCF_SHARE * memory / 1e6))))
        case TBLiteLevel():
            source = TBLiteSource(**level.model_dump(exclude=NO_SETTINGS))
        case CalculatorLevel():
            source = CalculatorSource(level.calculator, level.parameters, level.forces, level.threads)
        case ModelLevel():
            source = ModelSource(root / level.path)
        case CustomLevel():
            source = own_source(level.kind, level.options, root)
    return source


def levels_bought(use: CheapUse, levels: Sequence[Level]) -> tuple[Level, ...]:
    """Return the levels of a campaign that its recipe trains on; no other part asks for cheap labels.

    The error source "cheap" goes with recipes that take the labels of all levels.
    """
    if use == "labels":
        return tuple(levels)
    return tuple(levels[-2:] if use == "pairs" else levels[-1:])


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


def molecule(pool: PoolSection, root: Path) -> Molecule:
    """Return the molecule of the pool; its first frame tells it where the pool is only a file."""
    if pool.smiles is not None:
        made = from_smiles(pool.smiles)
    else:
        atoms = read_pool(pool, root)[0] if pool.structure is None else _structure(pool, root)
        made = from_atoms(atoms, atoms.info["charge"])
        made = replace(made, spin=atoms.info["spin"] or made.spin)
    return made if pool.spin is None else replace(made, spin=pool.spin)


def state(pool: PoolSection, root: Path, *, others: bool = False) -> State:
    """Return the charge and spin that a pool's settings give to frames whose file names none.

    A SMILES, or a structure file that names them, says them too.
    """
    if pool.smiles is not None:
        made = from_smiles(pool.smiles)
        return State(made.charge, made.spin or None if pool.spin is None else pool.spin, others)
    if pool.structure is not None:
        info = _structure(pool, root).info
        return State(info["charge"] or pool.charge, info["spin"] or pool.spin, others)
    return State(pool.charge, pool.spin, others)


def _structure(pool: PoolSection, root: Path) -> Atoms:
    """Return the structure with its charge and spin, its own or given."""
    path = root / str(pool.structure)
    atoms = read_structure(path)
    named = {name: np.array([name in atoms.info]) for name in ("charge", "spin")}
    return State(pool.charge, pool.spin).given_to(Frames.from_atoms([atoms]), named, str(path))[0]


def read_pool(pool: PoolSection, root: Path, told: bool = False) -> Frames:
    """Return the configurations of a pool that is a file, without labels.

    Parameters
    ----------
    pool, root : the settings, and the folder that paths in them start at.
    told : whether to log what was read, and what not.
    """
    if pool.path is None:
        raise UsageError("a pool from a file needs pool.path")
    path = root / pool.path
    frames, notes = read_with_notes(
        path, units=parse_units(pool.units), labels=False, state=state(pool, root)
    )
    frames = frames.unlabelled()
    if told:
        log_notes(path, notes)
    if wrong := sound(frames)[0]:
        raise UsageError(f"the pool {root / pool.path} has frames that cannot be: {wrong[0].message}")
    if (frames.sizes == 1).all() and not frames.pbc.any():
        raise UsageError(
            f"every frame of the pool {root / pool.path} is one atom alone, the same wherever it lies: take "
            "frames of a molecule or a cluster"
        )
    return frames if pool.frames is None else frames[: pool.frames]
