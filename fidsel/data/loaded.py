"""What the reader of one file format hands over, and the checks that all formats share."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fidsel.data.frames import BoolArray, FloatArray, Frames
from fidsel.data.units import Units
from fidsel.errors import UsageError


@dataclass(frozen=True)
class Keys:
    """Names under which a file may hold labels: the first it has is read, none where there are no names."""

    energy: tuple[str, ...]
    forces: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Loaded:
    """Content of a file in the file's own units.

    Parameters
    ----------
    frames : configurations and labels; energies and forces in `units`.
    units : units the file states or its format implies; None = it does not say.
    available : names a label could be read from, for messages.
    named : "charge" and "spin" → (n_frames,) whether the file names it for a frame.
    """

    frames: Frames
    units: Units | None
    available: tuple[str, ...]
    named: Mapping[str, BoolArray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Image:
    """One configuration of a file that holds them one by one, in the file's own units.

    Parameters
    ----------
    numbers : (N,) atomic numbers.
    positions : (N, 3).
    cell : (3, 3).
    pbc : (3,).
    energy : number or None.
    forces : (N, 3) or None.
    info : may hold level, group, charge and spin.
    where : file and place, for messages.
    """

    numbers: ArrayLike
    positions: FloatArray
    cell: ArrayLike
    pbc: ArrayLike
    energy: Any
    forces: Any
    info: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""


def first(names: tuple[str, ...], holder: Container[str]) -> str | None:
    """Return the first of the names that the holder has."""
    return next((name for name in names if name in holder), None)


def named_states(images: Sequence[Image]) -> dict[str, BoolArray]:
    """Return (n,) whether each image names a charge and a spin."""
    return {name: np.array([name in image.info for image in images]) for name in ("charge", "spin")}


def pack(path: Path, images: list[Image]) -> Frames:
    """Return the frames of a file's images.

    Raises
    ------
    UsageError
        where there is none, or a label or an entry of `info` is not what it must be.
    """
    if not images:
        raise UsageError(f"{path} holds no configuration; check that it was written completely")
    return Frames.pack(
        np.concatenate([image.numbers for image in images]),
        np.concatenate([image.positions for image in images]),
        np.cumsum([0] + [len(image.positions) for image in images]),
        energy=[_energy(image) for image in images],
        forces=np.concatenate([_forces(image) for image in images]),
        cell=np.array([image.cell for image in images], dtype=np.float64),
        pbc=np.array([image.pbc for image in images], dtype=bool),
        charge=[_integer(image, "charge") for image in images],
        spin=[_integer(image, "spin") for image in images],
        level=[_text(image, "level") for image in images],
        group=[_text(image, "group") for image in images],
    )


def _energy(image: Image) -> float:
    value = np.nan if image.energy is None else image.energy
    if np.ndim(value) != 0 or isinstance(value, (str, bool)):
        raise UsageError(f"{image.where}: the energy must be one number, got {value!r}")
    return float(value)


def _forces(image: Image) -> FloatArray:
    if image.forces is None:
        return np.full(image.positions.shape, np.nan)
    forces = np.asarray(image.forces, dtype=np.float64)
    if forces.shape != image.positions.shape:
        raise UsageError(
            f"{image.where}: forces must have shape {image.positions.shape} like the positions, "
            f"got {forces.shape}"
        )
    return forces


def _integer(image: Image, name: str) -> int:
    value = image.info.get(name, 0)
    if isinstance(value, (str, bool)) or np.ndim(value) != 0 or value != np.rint(value):
        raise UsageError(f"{image.where}: {name} must be a whole number, got {value!r}")
    return int(value)


def _text(image: Image, name: str) -> str:
    value = image.info.get(name, "")
    if isinstance(value, bool) or np.ndim(value) != 0:
        raise UsageError(f"{image.where}: {name} must be text, got {value!r}")
    return str(value)
