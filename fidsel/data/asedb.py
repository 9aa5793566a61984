"""ASE databases in SQLite (`.db`); eV and Å by ASE's convention."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.db.row import AtomsRow

from fidsel.data.frames import Frames
from fidsel.data.loaded import Image, Keys, Loaded, first, named_states, pack
from fidsel.data.units import Units
from fidsel.errors import UsageError

DEFAULTS = Keys(("energy",), ("forces",))
FRAME_KEYS = ("level", "group", "charge", "spin")


def load(path: Path, keys: Keys) -> Loaded:
    """Return the rows of a database in the order of their ids.

    Level, group, charge and spin are read from a row's data or key-value pairs.

    Raises
    ------
    UsageError
        where the file is not such a database.
    """
    _require_database(path)
    images, available = [], set()
    try:
        for row in connect(path, type="db", serial=True).select(sort="id"):
            values = _values(row)
            images.append(_image(row, values, keys, f"{path}, row {row['id']}"))
            available |= {name for name in values if name not in FRAME_KEYS}
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} cannot be read as an ASE database: {error}; copy it again") from error
    return Loaded(pack(path, images), Units(), tuple(sorted(available)), named_states(images))


def dump(path: Path, frames: Frames) -> None:
    """Write frames, one row each; `path` must not exist yet.

    Raises
    ------
    OSError
        where SQLite cannot write, e.g. on a full disk.
    """
    try:
        _write(path, frames)
    except sqlite3.Error as error:
        raise OSError(f"SQLite says {error}; is the disk full?") from error


def _write(path: Path, frames: Frames) -> None:
    with connect(path, type="db", append=False, serial=True) as database:
        for i, atoms in enumerate(frames):
            info = {name: getattr(frames, name)[i].item() for name in FRAME_KEYS}
            forces = frames.forces[frames.offsets[i] : frames.offsets[i + 1]]
            labels: dict[str, Any] = {}
            if not np.isnan(frames.energy[i]):
                labels["energy"] = frames.energy[i].item()
            if not np.isnan(forces).all():
                labels["forces"] = forces
            if labels:
                atoms.calc = SinglePointCalculator(atoms, **labels)
            database.write(atoms, data=info)


def _require_database(path: Path) -> None:
    """Look before ASE does: it would add its tables to any SQLite file it is pointed at."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'systems'").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UsageError(f"{path} is not a whole SQLite database: {error}; copy it again") from error
    if found is None:
        raise UsageError(f"{path} is an SQLite file, but not an ASE database (it has no table 'systems')")


def _values(row: AtomsRow) -> dict[str, Any]:
    """Return everything a row says besides its structure; results come before a user's own keys."""
    results = {name: row[name] for name in all_properties if name in row}
    return dict(row.data) | dict(row.key_value_pairs) | results


def _image(row: AtomsRow, values: dict[str, Any], keys: Keys, where: str) -> Image:
    energy, forces = first(keys.energy, values), first(keys.forces, values)
    return Image(
        row["numbers"], row["positions"], row["cell"], row["pbc"],
        values[energy] if energy else None, values[forces] if forces else None,
        {name: values[name] for name in FRAME_KEYS if name in values}, where,
    )  # fmt: skip
