"""Writing extended XYZ: numbers that read back exactly, and texts that ASE and fidsel read alike."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from fidsel.data.formats.extxyz import PLAIN_XYZ
from fidsel.data.formats.header import parse
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError


def dump(path: Path, frames: Frames) -> None:
    """Write frames; numbers are written so that they read back exactly.

    Raises `UsageError` where an atomic number has no element.
    """
    if frames.numbers.min() < 0 or frames.numbers.max() >= len(chemical_symbols):
        raise UsageError(f"extxyz needs atomic numbers 0 to {len(chemical_symbols) - 1}")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for i in range(len(frames)):
            file.writelines(f"{line}\n" for line in _block(frames, i))


def _block(frames: Frames, i: int) -> Iterator[str]:
    rows = slice(frames.offsets[i], frames.offsets[i + 1])
    forces = frames.forces[rows]
    labelled = not np.isnan(forces).all()
    values = np.hstack([frames.positions[rows], forces]) if labelled else frames.positions[rows]
    yield str(len(values))
    yield " ".join(_header(frames, i, labelled))
    for number, row in zip(frames.numbers[rows].tolist(), values.tolist(), strict=True):
        yield f"{chemical_symbols[number]:2s} {' '.join(map(repr, row))}"


def _header(frames: Frames, i: int, labelled: bool) -> Iterator[str]:
    if frames.cell[i].any():
        yield f'Lattice="{" ".join(map(repr, frames.cell[i].ravel().tolist()))}"'
    yield f"Properties={PLAIN_XYZ}{':forces:R:3' if labelled else ''}"
    if not np.isnan(frames.energy[i]):
        yield f"energy={frames.energy[i].item()!r}"
    yield f"charge={frames.charge[i]} spin={frames.spin[i]}"
    for name in ("level", "group"):
        if text := str(getattr(frames, name)[i]):
            yield f"{name}={_quoted(text)}"
    yield f'pbc="{" ".join("FT"[int(flag)] for flag in frames.pbc[i])}"'


def _quoted(text: str) -> str:
    """Return text as it stands where the format reads it back as text, else as JSON."""
    if text.isprintable() and _reads_back(text):
        return text
    escaped = f"_JSON {json.dumps(text)}".replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _reads_back(text: str) -> bool:
    from ase.io.extxyz import key_val_str_to_dict

    line = f"x={text}"
    value: Any = key_val_str_to_dict(line).get("x")
    return isinstance(value, str) and value == text == parse(line).values.get("x")
