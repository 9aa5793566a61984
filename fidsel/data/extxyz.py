"""Extended XYZ files, read and written without loss; eV and Å by the format's convention.

The header line is parsed by ASE. The atoms are read here, because ASE (3.23 and later) moves the
energy and forces of a file into a calculator, under whose name they are easily missed, and because
its writer keeps eight decimals only.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.io.extxyz import key_val_str_to_dict

from fidsel.data.frames import Frames, StrArray
from fidsel.data.loaded import Image, Keys, Loaded, first, named_states, pack
from fidsel.data.units import Units
from fidsel.errors import UsageError

DEFAULTS = Keys(("energy",), ("forces",))
PLAIN_XYZ = "species:S:1:pos:R:3"
NOT_LABELS = {"Properties", "Lattice", "pbc", "charge", "spin", "level", "group"}
NOT_FORCES = {"species", "Z", "pos"}


def load(path: Path, keys: Keys) -> Loaded:
    """Return the content of an extended (or plain) XYZ file.

    Raises
    ------
    UsageError
        naming file and line where the text is not of that format.
    """
    images: list[Image] = []
    available: set[str] = set()
    with path.open(encoding="utf-8") as file:
        for image, names in _images(file, path, keys):
            images.append(image)
            available |= names
    return Loaded(pack(path, images), Units(), tuple(sorted(available)), named_states(images))


def dump(path: Path, frames: Frames) -> None:
    """Write frames; numbers are written so that they read back exactly.

    Raises
    ------
    UsageError
        where an atomic number has no element.
    """
    if frames.numbers.min() < 0 or frames.numbers.max() >= len(chemical_symbols):
        raise UsageError(f"extxyz needs atomic numbers 0 to {len(chemical_symbols) - 1}")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for i in range(len(frames)):
            file.writelines(f"{line}\n" for line in _block(frames, i))


def _images(file: TextIO, path: Path, keys: Keys) -> Iterator[tuple[Image, set[str]]]:
    line = 0
    while head := file.readline():
        line += 1
        if not head.strip():
            continue
        where = f"{path}, line {line}"
        if not head.strip().isdigit() or int(head) < 1:
            raise UsageError(f"{where}: expected the number of atoms of a frame, got {head.strip()[:40]!r}")
        count = int(head)
        block = list(islice(file, count + 1))
        if len(block) <= count:
            raise UsageError(
                f"{where}: the frame has {count} atoms, but the file ends after {max(len(block) - 1, 0)}; "
                "it was cut off: copy it again, or remove the unfinished frame"
            )
        yield _image(block, keys, where)
        line += count + 1


def _image(block: list[str], keys: Keys, where: str) -> tuple[Image, set[str]]:
    try:
        info = key_val_str_to_dict(block[0])
        columns = _columns(str(info.get("Properties", PLAIN_XYZ)))
        table = _table(block[1:], columns, exact="Properties" in info)
        numbers = _numbers(table[:, columns["Z" if "Z" in columns else "species"][1]].ravel())
        positions = table[:, columns["pos"][1]].astype(np.float64)
        name = first(keys.forces, columns)
        forces = table[:, columns[name][1]].astype(np.float64) if name else None
    except (ValueError, KeyError) as error:
        raise UsageError(f"{where}: not a frame of an extxyz file: {error}") from error
    cell = info["Lattice"].T if "Lattice" in info else np.zeros((3, 3))
    image = Image(
        numbers, positions, cell, np.broadcast_to(info.get("pbc", "Lattice" in info), 3),
        info.get(first(keys.energy, info) or ""), forces, info, where,
    )  # fmt: skip
    labels = {name for name, (kind, span) in columns.items() if kind == "R" and span.stop - span.start == 3}
    return image, (labels - NOT_FORCES) | (set(info) - NOT_LABELS)


def _columns(text: str) -> dict[str, tuple[str, slice]]:
    """Return type and table columns of each entry of `Properties=name:type:width:...`."""
    parts = text.split(":")
    if len(parts) % 3:
        raise ValueError(f"Properties must be triples name:type:width, got {text!r}")
    columns, start = {}, 0
    for name, kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        columns[name] = (kind, slice(start, start + int(width)))
        start += int(width)
    if "pos" not in columns or not {"species", "Z"} & set(columns):
        raise ValueError(f"Properties must name species (or Z) and pos, got {text!r}")
    return columns


def _table(lines: list[str], columns: Mapping[str, tuple[str, slice]], exact: bool) -> StrArray:
    width = max(span.stop for _, span in columns.values())
    rows = [line.split() for line in lines]
    for row in rows:
        if len(row) < width or (exact and len(row) != width):
            raise ValueError(f"expected {width} columns, got {len(row)} in {' '.join(row)[:60]!r}")
    return np.array([row[:width] for row in rows], dtype=np.str_)


def _numbers(symbols: StrArray) -> list[int]:
    return [int(s) if s.isdigit() else _number(s.capitalize()) for s in symbols.tolist()]


def _number(symbol: str) -> int:
    if symbol not in atomic_numbers:
        raise ValueError(f"no element has the symbol {symbol!r}")
    return int(atomic_numbers[symbol])


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
    value: Any = key_val_str_to_dict(f"x={text}").get("x")
    return isinstance(value, str) and value == text
