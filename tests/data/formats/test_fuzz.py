"""Whatever bytes a file holds, reading it ends in frames or in an error that says what to do."""

import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from program_outputs import Diatomic, engrad, gaussian, orca, psi4, turbomole, xtb

from fidsel.data import Frames, Units, read, write
from fidsel.exceptions import FidselError

STEP = Diatomic(1.55)
TEXTS: Mapping[str, str] = {
    "orca.out": orca(STEP, Diatomic(1.5)), "gaussian.log": gaussian(STEP), "psi4.out": psi4(STEP),
    "xtb.out": xtb(STEP), "a.engrad": engrad(STEP), "gradient": turbomole(STEP),
    "a.xyz": '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1 '
    'stress="1 2 3 4 5 6" charge=0 pbc="T T F"\nH 0 0 0 0 0 1\nH 0 0 0.74 0 0 -1\n',
    "a.mol": "\n     RDKit          3D\n\n  2  1  0  0  0  0  0  0  0  0999 V2000\n"
    "    0.0000    0.0000    0.0000 O   0  0  0  0  0  0  0  0  0  0  0  0\n"
    "    0.9000    0.0000    0.0000 H   0  0  0  0  0  0  0  0  0  0  0  0\n"
    "  1  2  1  0\nM  CHG  1   1  -1\nM  END\n",
    "a.pdb": "CRYST1    9.000    9.000    9.000  90.00  90.00  90.00 P 1           1\n"
    "HETATM    1  O1  UNL     1       0.000   0.000   0.000  1.00  0.00           O1-\nEND\n",
    "a.mol2": "@<TRIPOS>MOLECULE\nx\n 1 0 0 0 0\nSMALL\nUSER_CHARGES\n\n@<TRIPOS>ATOM\n"
    "      1 O1          0.0000    0.0000    0.0000 O.3     1  X        -1.0000\n",
}  # fmt: skip
BOUND = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONGEST = 2000
"""Characters of a message."""


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Files of the binary formats, whole."""
    folder, water = tmp_path_factory.mktemp("whole"), molecule("H2O")
    water.calc = SinglePointCalculator(water, energy=-14.0, forces=np.eye(3))
    ase.io.write(folder / "a.traj", [water, water])
    with ase.db.connect(folder / "a.json") as database:
        database.write(water, data={"total_charge": 0})
    frames = Frames.stack(water.numbers, [water.positions], energy=[-14.0], forces=[np.eye(3)])
    for suffix in (".npz", ".db"):
        write(folder / f"a{suffix}", frames)
    (folder / "a.xyz.gz").write_bytes(gzip.compress(TEXTS["a.xyz"].encode()))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def read_or_refuse(path: Path) -> None:
    """Read a file; nothing but a `FidselError` with a message of some lines may come of it."""
    try:
        read(path, units=Units())
    except FidselError as error:
        if len(str(error)) > LONGEST:
            raise


@pytest.mark.parametrize("name", TEXTS)
@BOUND
@given(data=st.data())
def test_texts_with_pieces_changed(name: str, data: st.DataObject, tmp_path: Path) -> None:
    text = TEXTS[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(start + data.draw(st.integers(0, 12)), len(text))
        text = text[:start] + data.draw(st.text(max_size=6) | st.sampled_from(PIECES)) + text[stop:]
    (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    read_or_refuse(tmp_path / name)


PIECES = [
    "9" * 400,
    "1e400",
    "-1",
    "nan",
    "²",
    "\0",
    "=",
    '"',
    "[[",
    ":",
    "energy=",
    "pbc=",
    " ",
    "\n",
    "\r",
    "\x85",
]


@pytest.mark.parametrize("name", ["a.npz", "a.db", "a.traj", "a.json", "a.xyz.gz"])
@BOUND
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=4))
def test_binary_files_with_bytes_changed(
    name: str, changes: list[tuple[float, bytes]], binaries: Mapping[str, bytes], tmp_path: Path
) -> None:
    content = bytearray(binaries[name])
    for place, piece in changes:
        start = int(place * len(content))
        content[start : start + len(piece)] = piece
    (tmp_path / name).write_bytes(bytes(content))
    read_or_refuse(tmp_path / name)


@pytest.mark.parametrize(
    "name", [*TEXTS, "a.npz", "a.db", "a.traj", "a.json", "a.xyz.gz", "a.npz.gz", "a.sdf", "a.extxyz"]
)
@BOUND
@given(content=st.binary(min_size=1, max_size=300))
def test_any_bytes(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    read_or_refuse(tmp_path / name)


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**70), 2**70)
plain = numbers | st.booleans() | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=4)
shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
dtypes = st.sampled_from(["f8", "f4", "i8", "u1", "?", "U2", "S2", "c16", "M8[s]"])
NAMES = [
    "z",
    "R",
    "E",
    "F",
    "e_unit",
    "r_unit",
    "charge",
    "multiplicity",
    "lattice",
    "cell",
    "pbc",
    "level",
    "group",
    "frame",
]


@BOUND
@given(
    content=st.dictionaries(
        st.sampled_from(NAMES),
        plain | st.tuples(dtypes, shapes).flatmap(lambda a: arrays(a[0], a[1])),
        max_size=6,
    )
)
def test_archives_of_any_arrays(content: dict[str, Any], tmp_path: Path) -> None:
    usual = {"z": [8, 1], "R": np.zeros((2, 2, 3)), "E": np.zeros(2), "F": np.zeros((2, 2, 3))}
    buffer = io.BytesIO()
    np.savez(buffer, **(usual | content))
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    read_or_refuse(tmp_path / "a.npz")
