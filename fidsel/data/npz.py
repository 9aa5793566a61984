"""NumPy archives in the layout of the sGDML and rMD17 data sets; never unpickled.

========================= ============ ====================================================
keys (the first present)  shape        meaning
========================= ============ ====================================================
z, nuclear_charges        (N,)         atomic numbers
R, coords                 (n, N, 3)    positions
E, energies               (n,)         energies; `energy_key` names another, e.g. E_ccsdt
F, forces                 (n, N, 3)    forces; `forces_key` names another
r_unit, e_unit            text         units, e.g. Ang and kcal/mol
frame, old_indices        (n,)         place in the trajectory: rows are put in that order
charge, spin, level,      (n,) or ()   as in `Frames`
group, cell, pbc
========================= ============ ====================================================
"""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from fidsel.data.archive import check_archive
from fidsel.data.frames import Frames
from fidsel.data.loaded import Keys, Loaded, first
from fidsel.data.units import Units
from fidsel.errors import UsageError

Arrays = Mapping[str, NDArray[Any]]
NUMBERS, POSITIONS = ("z", "nuclear_charges"), ("R", "coords")
ORDER = ("frame", "old_indices")
UNREADABLE = (ValueError, EOFError, BadZipFile, zlib.error, RuntimeError)
"""What zipfile and NumPy raise for a damaged archive (NotImplementedError is a RuntimeError)."""
DEFAULTS = Keys(("E", "energies"), ("F", "forces"))
SAME_NAME = ("charge", "spin", "level", "group", "cell", "pbc")
NOT_LABELS = {*NUMBERS, *POSITIONS, *ORDER, *SAME_NAME, "r_unit", "e_unit"}


def load(path: Path, keys: Keys) -> Loaded:
    """Return the content of an archive.

    Raises
    ------
    UsageError
        where it cannot be opened, lacks atoms or positions, or a shape does not fit.
    """
    arrays = _open(path)
    energy, forces, order = (_find(arrays, names) for names in (keys.energy, keys.forces, ORDER))
    try:
        positions = _required(arrays, POSITIONS)
        if positions.ndim not in (2, 3):
            raise UsageError(f"positions must have shape (n, N, 3) or (N, 3), got {positions.shape}")
        n = 1 if positions.ndim == 2 else len(positions)
        frames = Frames.stack(
            _required(arrays, NUMBERS),
            positions.reshape(n, *positions.shape[-2:]),
            energy=None if energy is None else _shaped("energies", energy, (n,)),
            forces=None if forces is None else _shaped("forces", forces, (n, *positions.shape[-2:])),
            **{name: arrays[name] for name in SAME_NAME if name in arrays},
        )
        if order is not None:
            frames = frames[np.argsort(_shaped("frame", order, (n,)), kind="stable")]
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if n == 0:
        raise UsageError(f"{path} holds no configuration; check that it was written completely")
    return Loaded(frames, _units(arrays), tuple(sorted(set(arrays) - NOT_LABELS)))


def dump(path: Path, frames: Frames) -> None:
    """Write frames that have the same atoms, in eV and Å.

    Raises
    ------
    UsageError
        where they do not have the same atoms in the same order.
    """
    dense = frames.dense()
    with path.open("wb") as file:
        np.savez_compressed(
            file, z=dense.numbers, R=dense.positions, E=dense.energy, F=dense.forces,
            e_unit=np.array("eV"), r_unit=np.array("Angstrom"),
            **{name: getattr(frames, name) for name in SAME_NAME},
        )  # fmt: skip


def _open(path: Path) -> Arrays:
    try:
        check_archive(path)
        with ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        raise UsageError(
            f"{path} is not a whole npz archive of plain arrays: {error}. Copy it again, or write it anew "
            "with numpy.savez and no Python objects in it"
        ) from error


def _find(arrays: Arrays, names: tuple[str, ...]) -> NDArray[Any] | None:
    name = first(names, arrays)
    return None if name is None else arrays[name]


def _required(arrays: Arrays, names: tuple[str, ...]) -> NDArray[Any]:
    array = _find(arrays, names)
    if array is None:
        raise UsageError(
            f"the archive needs {' or '.join(names)}, it has {', '.join(sorted(arrays)) or 'nothing'}"
        )
    return array


def _shaped(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array in the shape it should have, up to axes of length one."""
    if [length for length in array.shape if length != 1] != [length for length in shape if length != 1]:
        raise UsageError(f"{name} must have shape {shape} like the positions, got {array.shape}")
    return array.reshape(shape)


def _units(arrays: Arrays) -> Units | None:
    if not {"e_unit", "r_unit"} <= set(arrays):
        return None
    energy, length = (_word(arrays[name]) for name in ("e_unit", "r_unit"))
    return None if "unknown" in f"{energy}{length}" else Units.parse(f"{energy},{length}")


def _word(array: NDArray[Any]) -> str:
    value = array.reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)
