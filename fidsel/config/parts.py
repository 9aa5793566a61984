"""From sections of the configuration to label sources, models, pickers and pools."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from fidsel.config.levels import BaselineSection, Level, PriceConfig, SourceSection
from fidsel.config.memory import parse_bytes, planned_memory
from fidsel.config.schema import PoolSection
from fidsel.data import Frames, read_with_notes
from fidsel.data.alike import alike
from fidsel.data.checks.geometry import sound
from fidsel.data.formats.electrons import electrons_of_atoms
from fidsel.data.reading import log_notes, read_structure
from fidsel.data.state import State
from fidsel.data.units import parse_units
from fidsel.exceptions import UsageError
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.molecules.family import named_smiles, read_molecules
from fidsel.fidelity.molecules.molecule import Molecule, from_atoms, from_frames
from fidsel.fidelity.source import LabelSource, Ready, names_of
from fidsel.training.stage import CheapUse


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
    """Return the label source of a level, whose labels may hold some bytes of memory.

    Raises
    ------
    UsageError
        where it cannot be had, or has no label to give.
    """
    return _ready(
        level,
        root,
        name=lambda: level.name,
        threads=lambda: level.threads,
        memory=lambda: planned_memory(memory),
        molecules=lambda: lambda: tuple(molecules(pool, root).values()),
        state=lambda: state(pool, root, others=True),
    )


def build_baseline(section: BaselineSection, found: Callable[[], Sequence[Molecule]], root: Path) -> Fidelity:
    """Return the baseline that a `[model.baseline]` section describes, as a level whose labels cost nothing.

    Parameters
    ----------
    section, root : the section, and the folder that paths in it start at.
    found : finds the molecules, for sources that are made for some.

    Raises
    ------
    UsageError
        where its source cannot be had, or gives no forces.
    """
    source = _ready(
        section,
        root,
        name=lambda: "baseline",
        threads=lambda: 1,
        memory=lambda: planned_memory(None),
        molecules=lambda: found,
    )
    if not source.forces:
        raise UsageError("a baseline must have forces, and this source gives none")
    word = next(iter(names_of(source)), section.kind)
    return Fidelity(f"{word} baseline", source, Price(0.0), section.time_limit)


def _ready(section: SourceSection, root: Path, **given: Callable[[], Any]) -> LabelSource:
    """Return the source of a section, seen to have what it needs."""
    source = section.source(root, given)
    if isinstance(source, Ready):
        source.require_ready()
    return source


def levels_bought(use: CheapUse, levels: Sequence[Level]) -> tuple[Level, ...]:
    """Return the levels of a campaign that its recipe trains on; no other part asks for cheap labels.

    The error source "cheap" goes with recipes that take the labels of all levels.
    """
    if use == "labels":
        return tuple(levels)
    return tuple(levels[-2:] if use == "pairs" else levels[-1:])


def molecules(pool: PoolSection, root: Path) -> dict[str, Molecule]:
    """Return the molecules of the pool by name, at least one.

    Where the pool is only a file, its frames tell: each of several orders of atoms and charges is one.

    Raises
    ------
    UsageError
        where one cannot be read, or is named twice.
    """
    if pool.molecules is not None:
        return read_molecules(root / pool.molecules)
    if pool.smiles is not None:
        made = named_smiles((pool.smiles,) if isinstance(pool.smiles, str) else pool.smiles)
    elif pool.structure is not None:
        made = {pool.structure: _told(_structure(pool, root))}
    else:
        frames = read_pool(pool, root)
        several = molecules_of(frames)
        kinds = several if len(several) > 1 else (_told(frames[0]),)
        made = {str(number): one for number, one in enumerate(kinds)}
    return made if pool.spin is None else {name: replace(one, spin=pool.spin) for name, one in made.items()}


def molecules_of(frames: Frames) -> tuple[Molecule, ...]:
    """Return the molecule of each order of atoms and charge in some frames.

    Raises
    ------
    UsageError
        where the bonds of one cannot be told.
    """
    return tuple(from_frames(frames[rows]) for rows in alike(frames, "charge"))


def _told(atoms: Atoms) -> Molecule:
    made = from_atoms(atoms, atoms.info["charge"])
    return replace(made, spin=atoms.info["spin"] or made.spin)


def state(pool: PoolSection, root: Path, *, others: bool = False) -> State:
    """Return the charge and spin that a pool's settings give to frames whose file names none.

    A SMILES, or a structure file that names them, says them too; of several molecules what all have.
    """
    if pool.smiles is not None or pool.molecules is not None:
        made = molecules(pool, root).values()
        charge, spin = _common([one.charge for one in made]), _common([one.spin for one in made])
        return State(charge, (spin or None) if pool.spin is None else pool.spin, others)
    if pool.structure is not None:
        info = _structure(pool, root).info
        return State(info["charge"] or pool.charge, info["spin"] or pool.spin, others)
    return State(pool.charge, pool.spin, others)


def _common(values: Sequence[int]) -> int | None:
    """Return the value that all have, None where they differ."""
    return values[0] if len(set(values)) == 1 else None


def _structure(pool: PoolSection, root: Path) -> Atoms:
    """Return the structure with its charge and spin, its own or given."""
    path = root / str(pool.structure)
    atoms = read_structure(path)
    told = electrons_of_atoms(atoms, str(path))
    named = {name: np.array([getattr(told, name) is not None]) for name in ("charge", "spin")}
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
