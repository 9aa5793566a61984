"""Labels from outputs of quantum-chemistry programs: one file, or a folder of them."""

import glob
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ase import Atoms

from fidsel.data.checks.finding import few
from fidsel.data.formats.images import from_ase
from fidsel.data.formats.labels import Keys
from fidsel.data.formats.loaded import Loaded
from fidsel.data.outputs.gradient import read_gradient
from fidsel.data.outputs.programs import PROGRAMS, program_of, read_output
from fidsel.exceptions import MissingExtraError, UsageError

OUTPUTS = {".out", ".log"}
GRADIENTS = {".engrad"}
GRADIENT = "gradient"
"""The file that xTB and Turbomole write gradients to."""
SHOWN = 3
"""Files that a note names."""
HEAD = 200_000
"""Bytes in which an output names its program."""


def load(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the geometries of one output, in eV and Å, as one group where they are several.

    Raises
    ------
    UsageError
        where the program is not known, did not end normally or did not converge.
    """
    program, images = read_output(path, name)
    loaded = from_ase(images, keys, name, path.stem if len(images) > 1 else "")
    return replace(loaded, notes=(f"output of {program}", *loaded.notes))


def load_gradient(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the geometries of a gradient file, in eV and Å; it does not say its charge."""
    loaded = from_ase(read_gradient(path, name), keys, name)
    return replace(
        loaded, notes=("a gradient file does not say charge and spin: both are taken as 0", *loaded.notes)
    )


def load_folder(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the labels of all outputs in a folder and its subfolders, in the order of their names.

    What did not converge or end normally is left out and named in the notes.

    Raises `UsageError` where there is no output, or none that can be used.
    """
    files = sorted((file for file in path.rglob("*") if may_be_output(file)), key=_natural)
    images: list[Atoms] = []
    counts: dict[str, int] = {}
    failed: dict[str, str] = {}
    foreign: list[str] = []
    for file in files:
        inner = file.relative_to(path).as_posix()
        if file.suffix.lower() in OUTPUTS and not is_known(file):
            foreign.append(inner)
            continue
        try:
            program, found = _labels(file, f"{name}/{inner}")
        except MissingExtraError:
            raise
        except UsageError as error:
            failed[inner] = str(error)
            continue
        counts[program] = counts.get(program, 0) + 1
        for atoms in found:
            atoms.info["group"] = inner if len(found) > 1 else ""
        images += found
    if not images:
        why = next(iter(failed.values()), f"it has no output of {', '.join(one.name for one in PROGRAMS)}")
        raise UsageError(f"the folder {name} holds no labels: {why}. To read one file, name it")
    loaded = from_ase(images, keys, name)
    notes = [f"{count} output{'s' * (count > 1)} of {program}" for program, count in counts.items()]
    if failed:
        notes.append(f"left out {len(failed)} of {len(files)}: {few(list(failed.values()), SHOWN, '; ')}")
    if foreign:
        notes.append(f"not an output of a known program: {few(foreign, SHOWN, '; ')}")
    return replace(loaded, notes=(*notes, *loaded.notes))


def _labels(file: Path, name: str) -> tuple[str, Sequence[Atoms]]:
    if file.suffix.lower() in OUTPUTS:
        return read_output(file, name)
    return "a program that left its gradient file only", read_gradient(file, name)


def may_be_output(file: Path) -> bool:
    """Return whether a file is read: an output, or a gradient without a known output to go with."""
    if not file.is_file() or file.stat().st_size == 0:
        return False
    if file.suffix.lower() in OUTPUTS:
        return True
    if file.suffix.lower() not in GRADIENTS and file.name != GRADIENT:
        return False
    stem = glob.escape(file.stem) if file.suffix else "*"
    beside = [other for suffix in OUTPUTS for other in file.parent.glob(f"{stem}{suffix}")]
    return not any(is_known(other) for other in beside)


def is_known(file: Path) -> bool:
    """Return whether a file is an output of a known program."""
    if not file.is_file():
        return False
    with file.open(encoding="utf-8", errors="replace") as opened:
        return program_of(opened.read(HEAD)) is not None


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return what sorts frame 10 behind frame 9."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(int(part[:18]), "") if i % 2 else (0, part) for i, part in enumerate(parts)]
