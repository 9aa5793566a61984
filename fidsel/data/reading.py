"""Reading and writing frames; the format follows from the suffix."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from fidsel.arrays import StrArray
from fidsel.data.atomic import replacing
from fidsel.data.formats import asedb, compressed, extxyz, extxyz_dump, images, npz, structures
from fidsel.data.formats.labels import Keys, advice
from fidsel.data.formats.loaded import Loaded
from fidsel.data.formats.stated import Stated
from fidsel.data.frames import Frames
from fidsel.data.given import require_frames
from fidsel.data.outputs import folder
from fidsel.data.state import State
from fidsel.data.units import Units, parse_units
from fidsel.exceptions import UsageError, unknown

AS_NAMED = State()
"""Charge and spin as the file names them."""


Load = Callable[[Path, Keys, str], Loaded]
"""Returns the content of a file in its own units; the text is what messages call the file."""
Dump = Callable[[Path, Frames], None]
"""Writes a new file in eV and Å."""


@dataclass(frozen=True)
class Format:
    """How one kind of file is read and written.

    Parameters
    ----------
    load, dump : of which a format that is read only has no `dump`.
    labels : whether it can hold labels.
    """

    load: Load
    dump: Dump | None = None
    labels: bool = True


EXTXYZ = Format(extxyz.load, extxyz_dump.dump)
SDF = Format(structures.load_sdf)
FORMATS: Mapping[str, Format] = {
    ".xyz": EXTXYZ,
    ".extxyz": EXTXYZ,
    ".npz": Format(npz.load, npz.dump),
    ".db": Format(asedb.load, asedb.dump),
    ".json": Format(asedb.load_json),
    ".traj": Format(images.load),
    ".out": Format(folder.load),
    ".log": Format(folder.load),
    ".engrad": Format(folder.load_gradient),
    ".sdf": SDF,
    ".mol": SDF,
    ".mol2": Format(structures.load_mol2, labels=False),
    ".pdb": Format(structures.load_pdb, labels=False),
}
"""Formats by suffix; `.gz` behind any of them is read too."""
NAMED = {folder.GRADIENT: Format(folder.load_gradient)}
"""Formats by the whole name of the file."""
FOLDER = Format(folder.load_folder)
WRITTEN = {suffix: format_.dump for suffix, format_ in FORMATS.items() if format_.dump is not None}
GZIP = ".gz"
LOG = logging.getLogger("fidsel.data")


def read(
    path: Path | str,
    *,
    level: str = "",
    group: str = "",
    units: Units | str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    state: State = AS_NAMED,
) -> Frames:
    """Return the frames of a file, in eV and Å.

    Formats: extended XYZ (`.xyz`, `.extxyz`), NumPy archives (`.npz`, see `fidsel.data.formats.npz`), ASE
    databases and trajectories (`.db`, `.json`, `.traj`), outputs of ORCA, Gaussian, Psi4 and xTB (`.out`,
    `.log`, `.engrad`, `gradient`, or a folder of them), and structures (`.sdf`, `.mol`, `.mol2`, `.pdb`); any
    file may be compressed (`.gz`). `read_with_notes` also tells what was read and what was not.

    Parameters
    ----------
    path : the file.
    level : level of theory of the labels, where the file does not name it; asks for labels.
    group : trajectory or source, where the file does not name it.
    units : units of the file, e.g. "kcal/mol,Angstrom", in place of what it states. XYZ and ASE files are
        in eV and Å unless they say otherwise; an npz archive must say (`e_unit`, `r_unit`) or they must be
        given.
    energy_key, forces_key : names of the labels in the file. Where one is given only the labels
        named are read, so that energies and forces of two levels are never mixed. By default names that
        mean the energy or the forces everywhere are looked for. A minus in front of `forces_key`, as in
        "-gradient", reads gradients: forces are their negative.
    state : charge and spin of frames for which the file names none.

    Raises
    ------
    UsageError
        where the file is absent, empty, cut off, not of its format or without units, where labels are
        asked for (by a level or a key) and no frame has any, where it is not clear which of several labels
        are meant, or where the file names another level, charge or spin.

    Examples
    --------
    >>> import tempfile
    >>> water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]], energy=[-76.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read(write(f"{folder}/water.extxyz", water), level="hf")
    Frames(1 frame, 3 atoms, H2O, 1 energy, 0 forces at hf)
    """
    return read_with_notes(
        path,
        level=level,
        group=group,
        units=units,
        energy_key=energy_key,
        forces_key=forces_key,
        state=state,
    )[0]


def read_with_notes(
    path: Path | str,
    *,
    level: str = "",
    group: str = "",
    units: Units | str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    labels: bool = True,
    state: State = AS_NAMED,
) -> tuple[Frames, tuple[str, ...]]:
    """Return the frames of a file as `read` does, and notes on what was read, what not, and in which units.

    Parameters
    ----------
    labels : False reads configurations only, whatever labels stand beside them.
    others : see `read`.

    Raises
    ------
    UsageError
        as `read` does.
    """
    path, units = Path(path), parse_units(units)
    negative = forces_key is not None and forces_key.startswith("-")
    forces_key = forces_key[1:] if forces_key is not None and negative else forces_key
    loaded = _load(path, Keys(energy_key, forces_key, labels))
    _require_labels(path, loaded, level, energy_key, forces_key)
    used = _units(path, loaded, units)
    frames = _converted(loaded.frames, used)
    frames = state.given_to(frames, loaded.named, str(path))
    frames = frames.replace(forces=-frames.forces) if negative else frames
    frames = frames.replace(
        level=_filled(path, "level", frames.level, level), group=_filled(path, "group", frames.group, group)
    )
    return frames, _notes(frames, loaded, used, units, labels and _format(path)[0].labels)


def read_logged(path: Path | str, **options: Any) -> Frames:  # Any: the options of `read_with_notes`
    """Return the frames of a file, and log the notes on it (logger "fidsel.data", level INFO)."""
    frames, notes = read_with_notes(path, **options)
    log_notes(path, notes)
    return frames


def log_notes(path: Path | str, notes: Sequence[str]) -> None:
    """Log notes on a file (logger "fidsel.data", level INFO)."""
    for note in notes:
        LOG.info("%s: %s", path, note)


def last_structure(path: Path | str) -> Atoms:
    """Return the last configuration of a file; its `info` holds charge and spin where the file names them."""
    path = Path(path)
    loaded = _load(path, Keys(labels=False))
    atoms = _converted(loaded.frames[-1:], loaded.stated.units or Units())[0]
    for name in ("charge", "spin"):
        if not loaded.named[name][-1]:
            del atoms.info[name]
    return atoms


def read_structure(path: Path) -> Atoms:
    """Return the last structure of a file in any format that fidsel or ASE reads.

    Raises `UsageError` where there is no such file, ASE knows no format of that ending, or it cannot be
    read.
    """
    from ase.io import iread
    from ase.io.formats import UnknownFileTypeError

    if known_format(path):
        return last_structure(path)
    require_file(path)
    try:
        *_, structure = iread(path)
    except UnknownFileTypeError as error:
        raise UsageError(
            f"the structure {path} has an ending that ASE knows no format for: take xyz, mol, sdf, pdb, cif, "
            "or another of `ase info --formats`"
        ) from error
    except Exception as error:  # isolation boundary: ASE's readers raise what they like
        raise UsageError(f"the structure {path} cannot be read: {error or type(error).__name__}") from error
    return structure


def known_format(path: Path) -> bool:
    """Return whether `read` knows files of such a name."""
    inner = path.with_suffix("") if path.suffix.lower() == GZIP else path
    return inner.suffix.lower() in FORMATS or inner.name in NAMED


def label_keys(path: Path | str) -> tuple[str, ...]:
    """Return the names in a file that may be the `energy_key` and `forces_key` of `read`."""
    return _load(Path(path), Keys(labels=False)).available


def write(path: Path | str, frames: Frames) -> Path:
    """Write frames to a file in eV and Å and return its path; an earlier file is replaced at the end.

    `read` gives the same frames back: labels with NaN, level, group, charge, spin, cell and pbc. An
    npz archive holds frames of the same atoms only.

    Raises
    ------
    UsageError
        for a format that is not written, no frames, or frames the format cannot hold.
    FidselError
        where the file cannot be written; what was there before is unchanged.
    """
    require_frames(frames)
    path = Path(path)
    require_written(path)
    if not len(frames):
        raise UsageError(f"{path}: there are no frames to write")
    with replacing(path) as unfinished:
        WRITTEN[path.suffix.lower()](unfinished, frames)
    return path


def require_written(path: Path) -> None:
    """Raise a `UsageError` unless the ending of a path is that of a format that `write` knows."""
    if path.suffix.lower() not in WRITTEN:
        raise unknown(f"file format to write {path} in:", path.suffix, WRITTEN)


def require_file(path: Path) -> None:
    """Raise a `UsageError`, with the nearest name as a hint, unless there is a file with something in it."""
    require_there(path)
    if not path.is_file():
        raise UsageError(f"{path} is not a file; name one file in it")
    if path.stat().st_size == 0:
        raise UsageError(f"{path} is empty; write or copy it again")


def require_there(path: Path) -> None:
    """Raise a `UsageError`, with the nearest name as a hint, unless there is such a file or folder."""
    if not path.exists():
        beside = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, beside, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it was looked for from {Path.cwd()}"
        raise UsageError(f"there is no file {path}; {hint}")


def _load(path: Path, keys: Keys) -> Loaded:
    """Return the content of a file, unpacked where it is compressed."""
    format_, packed = _format(path)
    if not path.is_dir():
        require_file(path)
    try:
        with compressed.expanded(path, str(path)) if packed else nullcontext(path) as file:
            return format_.load(file, keys, str(path))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not text in UTF-8: {error}; convert it, e.g. by iconv -t utf-8"
        ) from error
    except OSError as error:
        raise UsageError(f"could not read {path}: {error.strerror or error}") from error


def _format(path: Path) -> tuple[Format, bool]:
    """Return the format of a file and whether it is compressed."""
    if path.is_dir():
        return FOLDER, False
    packed = path.suffix.lower() == GZIP
    inner = path.with_suffix("") if packed else path
    if (found := FORMATS.get(inner.suffix.lower()) or NAMED.get(inner.name)) is None:
        raise unknown(f"file format of {path}:", inner.suffix, FORMATS)
    return found, packed


def _require_labels(path: Path, loaded: Loaded, level: str, energy: str | None, forces: str | None) -> None:
    frames = loaded.frames
    names = (
        f"keys in the file: {', '.join(loaded.available) or 'none'}; name them by energy_key and forces_key"
    )
    for key, values in ((energy, frames.energy), (forces, frames.forces)):
        if key is not None and np.isnan(values).all():
            raise UsageError(f"no frame of {path} has a label under {key!r}; {names}, {advice(str(path))}")
    if level and np.isnan(frames.energy).all() and np.isnan(frames.forces).all():
        raise UsageError(
            f"no frame of {path} has the labels that level {level!r} asks for; {names}, {advice(str(path))}"
        )


def _units(path: Path, loaded: Loaded, given: Units | None) -> Units:
    """Return the units given, else those of the file."""
    if given is not None or loaded.stated.units is not None:
        return given or loaded.stated.units or Units()
    said = (
        f"states units that are not known ({loaded.stated.text})"
        if loaded.stated.text
        else "does not say its units"
    )
    raise UsageError(
        f"{path} {said}; give them: --units kcal/mol,Angstrom on the command line, "
        "units = 'kcal/mol,Angstrom' in fidsel.toml, units='kcal/mol,Angstrom' in Python; "
        "forces in another than these as a third, e.g. Hartree,Angstrom,Hartree/Bohr"
    )


def _notes(frames: Frames, loaded: Loaded, used: Units, given: Units | None, labels: bool) -> tuple[str, ...]:
    """Return what to tell of a file that was read."""
    told = (
        _read(frames, loaded, used)
        if labels
        else f"{len(frames)} configuration{'s' * (len(frames) > 1)}, units {used}"
    )
    notes = [told + (", periodic" if frames.pbc.any() else "")]
    stated: Stated = loaded.stated
    if given is not None and stated.text and stated.units != given:
        notes.append(f"the file states its units ({stated.text}), but {given} was given and is taken")
    if unread := _unread(loaded, labels):
        why = "" if labels else "configurations need no labels, so "
        notes.append(f"{why}not read: {', '.join(unread)}")
    if (
        labels
        and loaded.forces is None
        and (found := [key for key in loaded.unread if "grad" in key.lower()])
    ):
        notes.append(f"forces are the negative of gradients: name those as -{found[0]} to read them")
    return (*notes, *loaded.notes)


def _unread(loaded: Loaded, labels: bool) -> Sequence[str]:
    """Return the names in a file to tell of: all of them where no labels were found under any."""
    if labels and loaded.energy is None and loaded.forces is None:
        return sorted({*loaded.unread, *loaded.available})
    return loaded.unread


def _read(frames: Frames, loaded: Loaded, used: Units) -> str:
    rows = (
        ("energies", loaded.energy, int(np.isfinite(frames.energy).sum())),
        ("forces", loaded.forces, int(frames.has_forces.sum())),
    )
    told = [
        f"{what} from {key!r} ({count} of {len(frames)} frames)" if key else f"no {what}"
        for what, key, count in rows
    ]
    labels = " and ".join(told) if loaded.energy or loaded.forces else "no labels"
    return f"{labels}, units {used}"


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
