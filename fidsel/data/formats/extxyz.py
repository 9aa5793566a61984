"""Extended XYZ files, read and written without loss; eV and Å by the format's convention.

Lines are read here, not by ASE: it takes the words of a comment for flags, moves the energy and forces of a
file into a calculator (3.23 and later), refuses six-number stresses, and writes eight decimals only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, StrArray
from fidsel.data.formats.electrons import CHARGES, MOMENTS, NAMES
from fidsel.data.formats.elements import ISOTOPES, atomic_number
from fidsel.data.formats.header import Header, columns, flags, lattice, number, parse, text
from fidsel.data.formats.labels import Keys, unread
from fidsel.data.formats.loaded import Image, Loaded, pack
from fidsel.data.formats.stated import ALL, Stated, agreed, stated
from fidsel.data.units import Units, energy_unit
from fidsel.exceptions import UsageError

PLAIN_XYZ = "species:S:1:pos:R:3"
STRUCTURE = {"species", "Z", "pos"}
HEEDED = {"properties", "lattice", "pbc", "level", "group", *NAMES, *ALL}
"""Keys that are read besides labels, in lower case."""

ENERGY_IN_WORDS = r"energ|\bE\s+-?\d|^\s*-?\d+\.\d+\s*$"
"""What a plain comment with an energy looks like, e.g. "energy: -5.07" (xTB) or "E -154.7" (ORCA)."""

Columns = Mapping[str, tuple[str, slice]]


class Block(NamedTuple):
    """One frame of a file.

    Parameters
    ----------
    available : keys and columns that may be labels.
    names : keys and columns that are neither labels nor heeded.
    stated : what the line says of units.
    remarks : what is worth knowing of how it was read.
    """

    image: Image
    available: set[str]
    names: set[str]
    stated: Stated
    remarks: set[str]


def load(path: Path, keys: Keys, name: str) -> Loaded:
    """Return the content of an extended (or plain) XYZ file.

    Raises
    ------
    UsageError
        naming file and line where the text is not of that format.
    """
    with path.open(encoding="utf-8-sig") as file:
        blocks = list(_blocks(file, name, keys))
    loaded = pack(name, [block.image for block in blocks])
    names = set().union(*(block.names for block in blocks))
    remarks = sorted(set().union(*(block.remarks for block in blocks)))
    return replace(
        loaded,
        stated=agreed([block.stated for block in blocks], name),
        available=tuple(sorted(set().union(*(block.available for block in blocks)))),
        unread=unread(names, [loaded.energy, loaded.forces]),
        notes=(*loaded.notes, *remarks),
    )


def _blocks(file: TextIO, name: str, keys: Keys) -> Iterator[Block]:
    line = 0
    while head := file.readline():
        line += 1
        if not head.strip():
            continue
        where = f"{name}, line {line}"
        if not re.fullmatch(r"\s*0*[1-9]\d{0,8}\s*", head, re.ASCII):
            raise UsageError(f"{where}: expected the number of atoms of a frame, got {head.strip()[:40]!r}")
        count = int(head)
        block = list(islice(file, count + 1))
        if len(block) <= count:
            raise UsageError(
                f"{where}: the frame has {count} atoms, but the file ends after {max(len(block) - 1, 0)}; "
                "it was cut off: copy it again, or remove the unfinished frame"
            )
        try:
            yield _block(block, keys, where)
        except UsageError:
            raise
        except ValueError as error:
            raise UsageError(f"{where}: not a frame of an extxyz file: {error}") from error
        line += count + 1


def _block(lines: Sequence[str], keys: Keys, where: str) -> Block:
    header = parse(lines[0])
    properties = header.get("Properties")
    layout = columns(properties or PLAIN_XYZ)
    if "pos" not in layout or not {"species", "Z"} & set(layout):
        raise ValueError(f"Properties must name species (or Z) and pos, got {properties!r}")
    rows = [line.split() for line in lines[1:]]
    table = _table(rows, layout, exact=properties is not None)
    symbols = table[:, layout["Z" if "Z" in layout else "species"][1]].ravel().tolist()
    energies = keys.wanted("energy", header.values)
    forces = keys.wanted("forces", layout)
    cell, pbc = _cell(header)
    image = Image(
        [atomic_number(symbol) for symbol in symbols], _floats(table, layout, "pos"), cell, pbc,
        {key: number(header.values[key], "energy") for key in energies},
        {key: _floats(table, layout, key) for key in forces},
        {key: text(value) for key, value in header.values.items() if key.lower() in HEEDED}, where,
        *(_of_atoms(table, layout, name) for name in (CHARGES, MOMENTS, "masses")),
    )  # fmt: skip
    vectors = {key for key, (kind, span) in layout.items() if kind == "R" and span.stop - span.start == 3}
    told = {key for key in header.values if key.lower() not in HEEDED}
    return Block(
        image,
        (vectors - STRUCTURE) | told,
        (set(layout) - STRUCTURE - {CHARGES, MOMENTS}) | told,
        _units(header, energies, forces),
        _remarks(lines[0], header, rows, symbols, properties is not None),
    )


def _table(rows: list[list[str]], layout: Columns, exact: bool) -> StrArray:
    width = max(span.stop for _, span in layout.values())
    for row in rows:
        if len(row) < width or (exact and len(row) != width):
            raise ValueError(f"expected {width} columns, got {len(row)} in {' '.join(row)[:60]!r}")
    return np.array([row[:width] for row in rows], dtype=np.str_)


def _of_atoms(table: StrArray, layout: Columns, name: str) -> FloatArray | None:
    """Return (N,) numbers of the atoms, None where there are none, or more than one for each."""
    found = _floats(table, layout, name) if name in layout else None
    return found[:, 0] if found is not None and found.shape[1] == 1 else None


def _floats(table: StrArray, layout: Columns, name: str) -> FloatArray:
    """Return the numbers of a column; Fortran's 1.0D+00 are numbers too."""
    texts = table[:, layout[name][1]]
    try:
        return texts.astype(np.float64)
    except ValueError:
        fortran = np.char.replace(np.char.replace(texts, "D", "e"), "d", "e")
        if (fortran == texts).all():
            raise
        return fortran.astype(np.float64)


def _cell(header: Header) -> tuple[FloatArray, BoolArray]:
    """Return cell and periodicity: a lattice that is not zero is periodic unless `pbc` says otherwise."""
    vectors, periodic = header.get("Lattice"), header.get("pbc")
    cell = np.zeros((3, 3)) if vectors is None else lattice(vectors)
    return cell, np.broadcast_to(cell.any(), 3) if periodic is None else flags(periodic)


def _units(header: Header, energies: Sequence[str], forces: Sequence[str]) -> Stated:
    """Return the units of a frame's labels: as the line states them, else eV and Å.

    A plain comment such as `energy = -76.4 Hartree` states that of the energy.
    """
    words = {key: header.after[key] for key in energies if energy_unit(header.after.get(key, ""))}
    if not words:
        return stated(header.values, Units())
    (key, word), *_ = words.items()
    told = stated(dict(header.values) | {"energy_unit": word}, Units())
    foreign = told.units is not None and told.units.energy != "eV"
    return Stated(None, f"{key} in {word}, of the forces nothing") if foreign and forces else told


def _remarks(
    line: str, header: Header, rows: Sequence[Sequence[str]], symbols: Sequence[str], extended: bool
) -> set[str]:
    found = set()
    if isotopes := ISOTOPES.keys() & set(symbols):
        found.add(f"{', '.join(sorted(isotopes))} are read as hydrogen: frames keep no masses")
    if not extended and any(len(row) > 4 for row in rows):
        found.add("columns behind x, y and z are not read, as no Properties= names them")
    if not header.values and re.search(ENERGY_IN_WORDS, line, re.IGNORECASE):
        found.add("comment lines are words without key=value: no energy is read from them")
    return found
