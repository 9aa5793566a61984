"""What the reader of one file format hands over, and the checks that all formats share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fidsel.arrays import BoolArray, FloatArray
from fidsel.data.formats.electrons import completed, electrons
from fidsel.data.formats.elements import foreign_masses
from fidsel.data.formats.labels import choose
from fidsel.data.formats.stated import EV_ANGSTROM, Stated
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError


@dataclass(frozen=True, eq=False)
class Loaded:
    """Content of a file in the file's own units.

    Parameters
    ----------
    frames : configurations and labels; energies and forces in `stated.units`.
    stated : units the file states or its format implies.
    available : names a label could be read from, for messages.
    energy, forces : names the labels were read from, None where there are none.
    unread : names that a person may expect to be heeded, but that were not.
    notes : what else is worth knowing of how the file was read.
    named : "charge" and "spin" → (n_frames,) whether the file names it for a frame.
    """

    frames: Frames
    stated: Stated = EV_ANGSTROM
    available: tuple[str, ...] = ()
    energy: str | None = None
    forces: str | None = None
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    named: Mapping[str, BoolArray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Image:
    """One configuration of a file that holds them one by one, in the file's own units.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (N, 3).
    cell : (3, 3), rows are lattice vectors.
    pbc : (3,).
    energies : number under each name that is to be read.
    forces : (N, 3) under each name that is to be read.
    info : may hold level, group and what `electrons` knows.
    where : file and place, for messages.
    charges, moments : (N,) of the atoms or None, see `completed`.
    masses : (N,) u, or None; they are not kept, which is said where they are not those of the elements.
    """

    numbers: ArrayLike
    positions: FloatArray
    cell: ArrayLike
    pbc: ArrayLike
    energies: Mapping[str, Any] = field(default_factory=dict)
    forces: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    charges: ArrayLike | None = None
    moments: ArrayLike | None = None
    masses: ArrayLike | None = None


def pack(file: str, images: Sequence[Image]) -> Loaded:
    """Return the frames of a file's images, the names their labels were read from, and notes.

    Raises `UsageError` where there is none, a label or an entry of `info` is not what it must be, or it is
    not clear which of several labels is meant.

    Parameters
    ----------
    file : what the file is called, for messages.
    """
    if not images:
        raise UsageError(f"{file} holds no configuration; check that it was written completely")
    sizes = [len(image.positions) for image in images]
    energies = {
        name: np.array([_energy(image, name) for image in images])
        for name in _names(image.energies for image in images)
    }
    forces = {
        name: np.concatenate([_force(image, name) for image in images])
        for name in _names(image.forces for image in images)
    }
    energy_key, forces_key = choose("energy", energies, file), choose("forces", forces, file)
    states = [
        completed(electrons(one.info, one.where), one.numbers, one.charges, one.moments) for one in images
    ]
    frames = Frames.pack(
        np.concatenate([image.numbers for image in images]),
        np.concatenate([image.positions for image in images]),
        np.cumsum([0, *sizes]),
        energy=energies.get(energy_key or ""),
        forces=forces.get(forces_key or ""),
        cell=np.array([image.cell for image in images], dtype=np.float64),
        pbc=np.array([image.pbc for image in images], dtype=bool),
        charge=[state.charge or 0 for state in states],
        spin=[state.spin or 0 for state in states],
        level=[_text(image, "level") for image in images],
        group=[_text(image, "group") for image in images],
    )
    names = tuple(dict.fromkeys(name for state in states for name in state.names))
    named = {
        what: np.array([getattr(state, what) is not None for state in states]) for what in ("charge", "spin")
    }
    notes = (*_told(frames, names), *foreign_masses(frames.numbers, _masses(images)))
    return Loaded(frames, energy=energy_key, forces=forces_key, notes=notes, named=named)


def _told(frames: Frames, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    charges, spins = (sorted(set(values.tolist())) for values in (frames.charge, frames.spin))
    return (
        f"charge {', '.join(map(str, charges))} and {', '.join(map(str, spins))} unpaired electrons "
        f"by {', '.join(map(repr, names))}",
    )


def _masses(images: Sequence[Image]) -> FloatArray:
    """Return the masses of all atoms, NaN where a file says none."""
    none = (np.full(len(image.positions), np.nan) for image in images)
    given = [np.nan if image.masses is None else np.ravel(image.masses) for image in images]
    return np.concatenate([np.broadcast_to(own, len(nan)) for own, nan in zip(given, none, strict=True)])


def _names(holders: Any) -> tuple[str, ...]:  # Any: an iterator of mappings
    return tuple(dict.fromkeys(name for holder in holders for name in holder))


def _energy(image: Image, name: str) -> float:
    value = image.energies.get(name)
    if value is None:
        return np.nan
    if np.size(value) != 1 or np.asarray(value).dtype.kind not in "iuf":
        raise UsageError(f"{image.where}: the energy must be one number, got {str(value)[:60]!r} as {name!r}")
    return float(np.asarray(value).reshape(()))


def _force(image: Image, name: str) -> FloatArray:
    value = image.forces.get(name)
    if value is None:
        return np.full(image.positions.shape, np.nan)
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{image.where}: forces must be real numbers, got {str(value)[:60]!r}")
    forces = array.astype(np.float64)
    if forces.shape != image.positions.shape:
        raise UsageError(
            f"{image.where}: forces must have shape {image.positions.shape} like the positions, "
            f"got {forces.shape}"
        )
    return forces


def _text(image: Image, name: str) -> str:
    value = image.info.get(name, "")
    if isinstance(value, bool) or np.ndim(value) != 0:
        raise UsageError(f"{image.where}: {name} must be text, got {value!r}")
    return str(value)
