"""ASE databases in SQLite (`.db`) or JSON (`.json`); eV and Å unless their metadata say otherwise.

SchNetPack states units in the metadata: `_distance_unit` and `_property_unit_dict`.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from fidsel.data.formats.electrons import CHARGES, MOMENTS, NAMES
from fidsel.data.formats.foreign import parsing
from fidsel.data.formats.labels import Keys, unread
from fidsel.data.formats.loaded import Image, Loaded, pack
from fidsel.data.formats.stated import Stated, stated
from fidsel.data.frames import Frames
from fidsel.data.units import Units
from fidsel.exceptions import UsageError

if TYPE_CHECKING:
    from ase.db.row import AtomsRow

FRAME_KEYS = ("level", "group", "charge", "spin")


def load(path: Path, keys: Keys, name: str, kind: str = "db") -> Loaded:
    """Return the rows of a database in the order of their ids.

    Level, group, charge and spin are read from a row's data or key-value pairs.

    Parameters
    ----------
    kind : "db" or "json".

    Raises
    ------
    UsageError
        where the file is not such a database.
    """
    from ase.db import connect

    (_require_sqlite if kind == "db" else _require_json)(path, name)
    images, available = [], set()
    with parsing(name, "an ASE database"):
        database = connect(path, type=kind, serial=True)
        metadata = database.metadata or {}
        for row in database.select(sort="id"):
            values = _values(row)
            images.append(_image(row, values, keys, f"{name}, row {row['id']}"))
            available |= {key for key in values if key not in FRAME_KEYS and key.lower() not in NAMES}
        loaded = pack(name, images)
    return replace(
        loaded,
        stated=_units(metadata, loaded),
        available=tuple(sorted(available)),
        unread=unread(available, [loaded.energy, loaded.forces, "free_energy"]),
    )


load_json = partial(load, kind="json")


def dump(path: Path, frames: Frames) -> None:
    """Write frames, one row each; `path` must not exist yet.

    Raises `OSError` where SQLite cannot write, e.g. on a full disk.
    """
    try:
        _write(path, frames)
    except sqlite3.Error as error:
        raise OSError(f"SQLite says {error}; is the disk full?") from error


def _write(path: Path, frames: Frames) -> None:
    from ase.db import connect

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


def _require_sqlite(path: Path, name: str) -> None:
    """Look before ASE does: it would add its tables to any SQLite file it is pointed at."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'systems'").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UsageError(f"{name} is not a whole SQLite database: {error}; copy it again") from error
    if found is None:
        raise UsageError(f"{name} is an SQLite file, but not an ASE database (it has no table 'systems')")


def _require_json(path: Path, name: str) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{name} is not whole JSON: {error}; copy it again") from error
    if not isinstance(content, dict) or not isinstance(content.get("ids"), list):
        raise UsageError(f"{name} is JSON, but not an ASE database (it has no list of 'ids')")


def _values(row: "AtomsRow") -> dict[str, Any]:
    """Return everything a row says besides its structure; results come before a user's own keys."""
    results = {name: row[name] for name in all_properties if name in row}
    return dict(row.data) | dict(row.key_value_pairs) | results


def _image(row: "AtomsRow", values: dict[str, Any], keys: Keys, where: str) -> Image:
    return Image(
        row["numbers"], row["positions"], row["cell"], row["pbc"],
        {key: values[key] for key in keys.wanted("energy", values)},
        {key: values[key] for key in keys.wanted("forces", values)},
        {key: value for key, value in values.items() if key in FRAME_KEYS or key.lower() in NAMES}, where,
        row.get(CHARGES), row.get(MOMENTS), row.get("masses"),
    )  # fmt: skip


def _units(metadata: Mapping[str, Any], loaded: Loaded) -> Stated:
    """Return the units of the properties read, as the metadata state them, else eV and Å."""
    properties = metadata.get("_property_unit_dict")
    properties = properties if isinstance(properties, dict) else {}
    told = {
        "energy_unit": properties.get(loaded.energy),
        "force_unit": properties.get(loaded.forces),
        "length_unit": metadata.get("_distance_unit"),
    }
    return stated({key: str(unit) for key, unit in told.items() if unit}, Units())
