"""ASE Atoms with their results as images of a file, and ASE trajectories (`.traj`)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from fidsel.data.formats.electrons import CHARGES, MOMENTS, NAMES
from fidsel.data.formats.foreign import parsing
from fidsel.data.formats.labels import Keys, unread
from fidsel.data.formats.loaded import Image, Loaded, pack


def load(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the images of an ASE trajectory, in eV and Å.

    Raises
    ------
    UsageError
        where the file is none.
    """
    from ase.io.trajectory import TrajectoryReader

    with parsing(name, "an ASE trajectory"):
        # opened here, since ASE leaves the file open where it is no trajectory
        with path.open("rb") as file:
            images = list(TrajectoryReader(file))
        return from_ase(images, keys, name)


def from_ase(images: Iterable[Atoms], keys: Keys, name: str, group: str = "") -> Loaded:
    """Return frames from Atoms: the results of their calculators, and what `info` and `arrays` hold.

    Raw results are read, not `get_forces`, which leaves out the forces on atoms that a constraint holds.
    """
    rows = [(atoms, _values(atoms)) for atoms in images]
    packed = [
        Image(
            atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc,
            {key: values[key] for key in keys.wanted("energy", values)},
            {key: values[key] for key in keys.wanted("forces", values)},
            _info(atoms, group), f"{name}, frame {i}",
            atoms.arrays.get(CHARGES), atoms.arrays.get(MOMENTS), atoms.arrays.get("masses"),
        )
        for i, (atoms, values) in enumerate(rows)
    ]  # fmt: skip
    loaded = pack(name, packed)
    names = {key for _, values in rows for key in values if key.lower() not in NAMES}
    seen = [loaded.energy, loaded.forces, "free_energy", CHARGES, MOMENTS]
    return replace(loaded, available=tuple(sorted(names)), unread=unread(names, seen))


def _info(atoms: Atoms, group: str) -> Mapping[str, Any]:
    wanted = {"level", "group", *NAMES}
    return {"group": group} | {key: value for key, value in atoms.info.items() if str(key).lower() in wanted}


def _values(atoms: Atoms) -> dict[str, Any]:
    """Return what may be labels: results come before a user's own keys."""
    own: dict[str, Any] = {str(key): value for key, value in atoms.info.items() if value is not None}
    own |= {
        key: array for key, array in atoms.arrays.items() if key not in {"numbers", "positions", "masses"}
    }
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    return own | {key: np.asarray(value) for key, value in results.items() if value is not None}
