"""Reading and writing frames; the format follows from the suffix."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

import numpy as np

from fidsel.data import asedb, extxyz, npz
from fidsel.data.atomic import replacing
from fidsel.data.frames import Frames, StrArray
from fidsel.data.loaded import Keys, Loaded
from fidsel.data.state import State
from fidsel.data.units import Units
from fidsel.errors import UsageError, unknown

AS_NAMED = State()


class Load(Protocol):
    """Reads one format."""

    def __call__(self, path: Path, keys: Keys) -> Loaded:
        """Return the content in the file's own units."""
        ...


class Dump(Protocol):
    """Writes one format."""

    def __call__(self, path: Path, frames: Frames) -> None:
        """Write a new file in eV and Å."""
        ...


@dataclass(frozen=True)
class Format:
    """How one kind of file is read and written, and where it keeps labels by default."""

    load: Load
    dump: Dump
    keys: Keys


EXTXYZ = Format(extxyz.load, extxyz.dump, extxyz.DEFAULTS)
FORMATS = {
    ".xyz": EXTXYZ,
    ".extxyz": EXTXYZ,
    ".npz": Format(npz.load, npz.dump, npz.DEFAULTS),
    ".db": Format(asedb.load, asedb.dump, asedb.DEFAULTS),
}


def read(
    path: Path | str,
    *,
    level: str = "",
    group: str = "",
    units: Units | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    state: State = AS_NAMED,
) -> Frames:
    """Return the frames of a file, in eV and Å.

    Formats: extended XYZ (`.xyz`, `.extxyz`), NumPy archives in the sGDML or rMD17 layout (`.npz`, see
    `fidsel.data.npz`) and ASE databases (`.db`).

    Parameters
    ----------
    path : the file.
    level : level of theory of the labels, where the file does not name it; asks for labels.
    group : trajectory or source, where the file does not name it.
    units : units of the file. XYZ and ASE files are in eV and Å unless given; an npz archive must say
        (`e_unit`, `r_unit`) or they must be given.
    energy_key, forces_key : names of the labels in the file. Where one is given only the labels
        named are read, so that energies and forces of two levels are never mixed.
    state : charge and spin of frames for which the file names none.

    Raises
    ------
    UsageError
        where the file is absent, empty, cut off, not of its format or without units, where labels are
        asked for (by a level or a key) and no frame has any, or where the file names another level, charge
        or spin.

    Examples
    --------
    >>> h2co = read("h2co.npz", level="ccsd(t)", units=Units.parse("eV,Angstrom"),
    ...             energy_key="E_ccsdt", forces_key="F_ccsdt")  # doctest: +SKIP
    """
    path = Path(path)
    format_ = _format(path)
    require_file(path)
    asked = energy_key is not None or forces_key is not None
    keys = Keys(_named(energy_key), _named(forces_key)) if asked else format_.keys
    try:
        loaded = format_.load(path, keys)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}") from error
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror or error}") from error
    _require_labels(path, loaded, level, energy_key, forces_key)
    frames = _converted(loaded.frames, _units(path, loaded.units, units))
    frames = state.given_to(frames, loaded.named, str(path))
    return frames.replace(
        level=_filled(path, "level", frames.level, level), group=_filled(path, "group", frames.group, group)
    )


def label_keys(path: Path | str) -> tuple[str, ...]:
    """Return the names in a file that may be the `energy_key` and `forces_key` of `read`."""
    path = Path(path)
    format_ = _format(path)
    return format_.load(path, format_.keys).available


def write(path: Path | str, frames: Frames) -> Path:
    """Write frames to a file in eV and Å and return its path; an earlier file is replaced at the end.

    `read` gives the same frames back: labels with NaN, level, group, charge, spin, cell and pbc. An
    npz archive holds frames of the same atoms only.

    Raises
    ------
    UsageError
        for an unknown format, no frames, or frames the format cannot hold.
    FidselError
        where the file cannot be written; what was there before is unchanged.
    """
    path = Path(path)
    format_ = _format(path)
    if not len(frames):
        raise UsageError(f"{path}: there are no frames to write")
    with replacing(path) as unfinished:
        format_.dump(unfinished, frames)
    return path


def _format(path: Path) -> Format:
    if path.suffix.lower() not in FORMATS:
        raise unknown(f"file format of {path}:", path.suffix, FORMATS)
    return FORMATS[path.suffix.lower()]


def require_file(path: Path) -> None:
    """Raise a `UsageError`, with the nearest name as a hint, unless there is a file with something in it."""
    if not path.exists():
        beside = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, beside, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it was looked for from {Path.cwd()}"
        raise UsageError(f"there is no file {path}; {hint}")
    if not path.is_file():
        raise UsageError(f"{path} is not a file; name one file in it")
    if path.stat().st_size == 0:
        raise UsageError(f"{path} is empty; write or copy it again")


def _named(key: str | None) -> tuple[str, ...]:
    return () if key is None else (key,)


def _require_labels(path: Path, loaded: Loaded, level: str, energy: str | None, forces: str | None) -> None:
    frames = loaded.frames
    advice = (
        f"keys in the file: {', '.join(loaded.available) or 'none'}; name them by energy_key and forces_key, "
        f"on the command line as {path}:ENERGY_KEY:FORCES_KEY (`fidsel check`: --energy-key and --forces-key)"
    )
    for key, values in ((energy, frames.energy), (forces, frames.forces)):
        if key is not None and np.isnan(values).all():
            raise UsageError(f"no frame of {path} has a label under {key!r}; {advice}")
    if level and np.isnan(frames.energy).all() and np.isnan(frames.forces).all():
        raise UsageError(f"no frame of {path} has the labels that level {level!r} asks for; {advice}")


def _units(path: Path, stated: Units | None, given: Units | None) -> Units:
    if given is None and stated is None:
        raise UsageError(
            f"{path} does not say its units; give them: --units kcal/mol,Angstrom on the command line, "
            "units = 'kcal/mol,Angstrom' in fidsel.toml, units=Units.parse('kcal/mol,Angstrom') in Python"
        )
    if path.suffix.lower() == ".npz" and given and stated and given != stated:
        raise UsageError(f"{path} says its units are {stated}, but {given} was given; drop one of the two")
    return given or stated or Units()


def _converted(frames: Frames, units: Units) -> Frames:
    if units == Units():
        return frames
    return frames.replace(
        positions=frames.positions * units.length_factor,
        cell=frames.cell * units.length_factor,
        energy=frames.energy * units.energy_factor,
        forces=frames.forces * units.force_factor,
    )


def _filled(path: Path, name: str, stated: StrArray, given: str) -> StrArray:
    others = sorted(set(stated.tolist()) - {"", given})
    if given and others:
        raise UsageError(
            f"{path} names the {name} {others[0]!r}, but {given!r} was given; leave {name} out, "
            f"or replace it afterwards by frames.replace({name}=...)"
        )
    return np.where(stated == "", given, stated) if given else stated
