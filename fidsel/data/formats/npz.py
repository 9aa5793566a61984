"""NumPy archives in the layout of the sGDML and rMD17 data sets; never unpickled.

============================= ================ ====================================================
keys (the first present)      shape            meaning
============================= ================ ====================================================
z, nuclear_charges,           (N,), (n, N)     atomic numbers, whole, or symbols; 0 fills rows of
atomic_numbers, numbers, Z                     unequal molecules up (PhysNet)
R, coords, positions,         (n, N, 3)        positions
coordinates
E, energies, energy ...       (n,)             energies; `energy_key` names another, e.g. E_ccsdt
F, forces, force ...          (n, N, 3)        forces; `forces_key` names another
e_unit, r_unit, f_unit        text             units, e.g. kcal/mol and Ang; see `fidsel.data.units`
frame, old_indices            (n,)             place in the trajectory: rows are put in that order
charge, total_charge, Q,      (n,) or ()       see `fidsel.data.formats.electrons`
spin, multiplicity ...
level, group                  (n,) or ()       as in `Frames`
cell                          (3, 3), (n, 3, 3) lattice vectors as rows
lattice                       (3, 3), (n, 3, 3) lattice vectors as columns, as sGDML computes with them
pbc                           (3,), (n, 3)     periodic directions; all where there is a cell or lattice
============================= ================ ====================================================
"""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data.formats.archive import check_archive
from fidsel.data.formats.electrons import CHARGE, LARGEST, MULTIPLICITY, NAMES, SPIN
from fidsel.data.formats.elements import whole_numbers
from fidsel.data.formats.labels import Keys, choose, unread
from fidsel.data.formats.loaded import Loaded
from fidsel.data.formats.stated import ALL, stated
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError

Arrays = Mapping[str, NDArray[Any]]
NUMBERS = ("z", "nuclear_charges", "atomic_numbers", "numbers", "Z")
POSITIONS = ("R", "coords", "positions", "coordinates")
ORDER = ("frame", "old_indices")
UNREADABLE = (ValueError, EOFError, BadZipFile, zlib.error, RuntimeError)
"""What zipfile and NumPy raise for a damaged archive (NotImplementedError is a RuntimeError)."""
ENERGY, FORCES = ("E", "energies"), ("F",)
"""What they are called in archives, besides the names that mean it everywhere."""
PHYSNET_CHARGE = "Q"
SAME_NAME = ("charge", "spin", "level", "group", "cell", "pbc")
HEEDED = {*NUMBERS, *POSITIONS, *ORDER, *SAME_NAME, "lattice"}


def load(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the content of an archive.

    Raises
    ------
    UsageError
        where it cannot be opened, lacks atoms or positions, or a shape does not fit.
    """
    arrays = _open(path, name)
    try:
        return _loaded(arrays, keys, name)
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(str(error) if str(error).startswith(name) else f"{name}: {error}") from error


def dump(path: Path, frames: Frames) -> None:
    """Write frames that have the same atoms, in eV and Å.

    Raises `UsageError` where they do not have the same atoms in the same order.
    """
    dense = frames.dense()
    with path.open("wb") as file:
        np.savez_compressed(
            file, z=dense.numbers, R=dense.positions, E=dense.energy, F=dense.forces,
            e_unit=np.array("eV"), r_unit=np.array("Angstrom"),
            **{name: getattr(frames, name) for name in SAME_NAME},
        )  # fmt: skip


def _open(path: Path, name: str) -> Arrays:
    try:
        check_archive(path)
        with ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except UNREADABLE as error:
        raise UsageError(
            f"{name} is not a whole npz archive of plain arrays: {str(error)[:300]}. Copy it again, or write "
            "it anew with numpy.savez and no Python objects in it"
        ) from error


def _loaded(arrays: Arrays, keys: Keys, name: str) -> Loaded:
    positions = _real("positions", _required(arrays, POSITIONS))
    if positions.ndim not in (2, 3) or positions.shape[-1] != 3:
        raise UsageError(f"positions must have shape (n, N, 3) or (N, 3), got {positions.shape}")
    positions = positions.reshape(-1, *positions.shape[-2:])
    n, size = positions.shape[:2]
    if n == 0 or size == 0:
        raise UsageError(f"{name} holds no configuration; check that it was written completely")
    numbers = _numbers(arrays, n, size)
    energies = {k: _floats("energies", arrays[k], (n,)) for k in keys.wanted("energy", arrays, ENERGY)}
    forces = {k: _floats("forces", arrays[k], (n, size, 3)) for k in keys.wanted("forces", arrays, FORCES)}
    # atoms that only fill a row up to the largest molecule are dropped
    real = numbers != 0 if numbers.shape[0] == n and (numbers == 0).any() else np.ones((n, size), dtype=bool)
    energy_key = choose("energy", energies, name)
    forces_key = choose("forces", forces, name)
    charge, spin, told = _electrons(arrays, n)
    cell, pbc, remarks = _cell(arrays, n)
    frames = Frames.pack(
        np.broadcast_to(numbers, (n, size))[real],
        positions[real],
        np.cumsum([0, *real.sum(axis=1)]),
        energy=energies.get(energy_key or ""),
        forces=None if forces_key is None else forces[forces_key][real],
        charge=charge, spin=spin, cell=cell, pbc=pbc,
        **{key: _texts(key, arrays[key], n) for key in ("level", "group") if key in arrays},
    )  # fmt: skip
    if (order := _find(arrays, ORDER)) is not None:
        frames = frames[np.argsort(_shaped("frame", order, (n,)), kind="stable")]
    texts = {key: _word(array) for key, array in arrays.items() if key.lower() in ALL}
    others = {key for key in arrays if key not in HEEDED and key.lower() not in {*ALL, *NAMES}}
    seen = [energy_key, forces_key]
    return Loaded(
        frames, stated(texts, None), tuple(sorted(others)), energy_key, forces_key,
        unread(others, seen), (*told, *remarks),
        {"charge": np.full(n, charge is not None), "spin": np.full(n, spin is not None)},
    )  # fmt: skip


def _numbers(arrays: Arrays, n: int, size: int) -> IntArray:
    """Return (1, N) or (n, N) atomic numbers."""
    numbers = whole_numbers(np.asarray(_required(arrays, NUMBERS)))
    if numbers.shape not in {(size,), (1, size), (n, size)}:
        atoms = numbers.shape[-1] if numbers.ndim else 1
        raise UsageError(f"positions must have shape (n, {atoms}, 3), got {(n, size, 3)}")
    return numbers.reshape(-1, size)


def _electrons(arrays: Arrays, n: int) -> tuple[IntArray | None, IntArray | None, tuple[str, ...]]:
    """Return charges and spins (n,), None where they are not named, and a note of their names."""
    named: dict[str, dict[str, IntArray]] = {"charge": {}, "spin": {}}
    for key, array in arrays.items():
        lower = "charge" if key == PHYSNET_CHARGE and array.size in {1, n} else key.lower()
        if lower in NAMES:
            values = _whole(key, array, n)
            if lower in MULTIPLICITY and (values < 1).any():
                raise UsageError(f"{key} must be 2S + 1 ≥ 1, got {values.min()}")
            what = "charge" if lower in CHARGE else "spin"
            named[what][key] = values if lower in (*CHARGE, *SPIN) else values - 1
    found = []
    for what, told in named.items():
        first = next(iter(told.values()), None)
        if any((values != first).any() for values in told.values()):
            raise UsageError(
                f"the {what} is told in different ways by {' and '.join(told)}: keep one of them"
            )
        found.append(first)
    keys = [repr(key) for told in named.values() for key in told]
    return found[0], found[1], (f"charge and spin by {', '.join(keys)}",) if keys else ()


def _whole(key: str, array: NDArray[Any], n: int) -> IntArray:
    """Return (n,) whole numbers, one for all frames repeated."""
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{key} must be whole numbers, got values of type {array.dtype}")
    values = array.astype(np.float64)
    values = np.full(n, values.reshape(())) if values.size == 1 else _shaped(key, values, (n,))
    wrong = ~np.isfinite(values) | (values != np.rint(values)) | (np.abs(values) > LARGEST)
    if wrong.any():
        raise UsageError(
            f"{key} must be whole numbers, got {values[wrong][0]:g} in frame {int(wrong.argmax())}"
        )
    return values.astype(np.int64)


def _cell(arrays: Arrays, n: int) -> tuple[FloatArray, BoolArray, tuple[str, ...]]:
    """Return cells (n, 3, 3), rows being vectors, periodic directions (n, 3), and notes."""
    given = {
        key: _floats(key, arrays[key], (n, 3, 3), (3, 3)) for key in ("cell", "lattice") if key in arrays
    }
    remarks: tuple[str, ...] = ()
    if "lattice" in given:
        lattice = given["lattice"]
        given["lattice"] = np.swapaxes(lattice, -1, -2)
        if not np.allclose(lattice, given["lattice"]):
            remarks = ("the vectors of 'lattice' are its columns, as sGDML computes with them",)
    cells = list(given.values())
    if len(cells) == 2 and not np.allclose(cells[0], cells[1]):
        raise UsageError("cell (vectors as rows) and lattice (as columns) differ: keep one of them")
    cell = cells[0] if cells else np.zeros((n, 3, 3))
    if "pbc" not in arrays:
        return cell, np.repeat(np.any(cell != 0, axis=(1, 2))[:, None], 3, axis=1), remarks
    pbc = arrays["pbc"]
    if pbc.dtype.kind not in "biu":
        raise UsageError(f"pbc must be True or False, got values of type {pbc.dtype}")
    pbc = pbc.astype(bool)
    return cell, np.broadcast_to(pbc if pbc.size in {1, 3} else _shaped("pbc", pbc, (n, 3)), (n, 3)), remarks


def _texts(key: str, array: NDArray[Any], n: int) -> NDArray[np.str_]:
    texts = np.array([_word(item) for item in np.atleast_1d(array).ravel()], dtype=np.str_)
    return np.repeat(texts, n) if texts.size == 1 else _shaped(key, texts, (n,))


def _find(arrays: Arrays, names: tuple[str, ...]) -> NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _required(arrays: Arrays, names: tuple[str, ...]) -> NDArray[Any]:
    array = _find(arrays, names)
    if array is None:
        raise UsageError(
            f"the archive needs {' or '.join(names)}, it has {', '.join(sorted(arrays)) or 'nothing'}"
        )
    return array


def _floats(key: str, array: NDArray[Any], *shapes: tuple[int, ...]) -> FloatArray:
    """Return an array of floats in the first shape; one in another shape is repeated for all frames."""
    values = _real(key, array)
    for shape in shapes[1:]:
        if values.shape == shape:
            return np.broadcast_to(values, shapes[0])
    return _shaped(key, values, shapes[0])


def _real(key: str, array: NDArray[Any]) -> FloatArray:
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{key} must be real numbers, got values of type {array.dtype}")
    return array.astype(np.float64)


def _shaped(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array in the shape it should have, up to axes of length one."""
    if [length for length in array.shape if length != 1] != [length for length in shape if length != 1]:
        raise UsageError(f"{name} must have shape {shape} like the positions, got {array.shape}")
    return array.reshape(shape)


def _word(value: Any) -> str:  # Any: an array of one text, or its item
    text = np.asarray(value).reshape(-1)
    first = text[0] if len(text) else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)
