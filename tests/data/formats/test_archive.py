"""Archives that would fill the memory are refused before they are read."""

import io
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from damage import damaged_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.data import read
from fidsel.data.formats.archive import LARGE, check_archive, check_array
from fidsel.exceptions import UsageError


def header(shape: str, descr: str = "<f8") -> bytes:
    """An npy file that claims a shape and holds one number."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(8)


def archive(path: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(f"{name}.npy", content)
    return path


def npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(2,)", "(10**9, 10**9)", "(4294967296, 4294967296)"])
def test_a_shape_that_is_not_there(tmp_path: Path, shape: str) -> None:
    claimed = str(tuple(eval(shape)))
    path = archive(tmp_path / "pool.npz", z=npy([1]), R=header(claimed))
    with pytest.raises(ValueError, match=r"R\.npy claims shape .* bytes, it holds"):
        check_archive(path)
    with pytest.raises(UsageError, match=r"not a whole npz archive of plain arrays: R\.npy claims shape"):
        read(path)
    (tmp_path / "alone.npy").write_bytes(header(claimed))
    with pytest.raises(ValueError, match=r"alone\.npy claims shape"):
        check_array(tmp_path / "alone.npy")


def test_an_archive_that_expands_beyond_measure(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("R.npy", "w") as part:
        length = 3 * LARGE // 16
        part.write(header(f"({length},)")[:-8])
        for _ in range(8 * length // 2**20 + 1):
            part.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(UsageError, match=r"its \d+ bytes expand to \d+, more than 100 times as much"):
        read(path)


def test_sound_files_pass(tmp_path: Path) -> None:
    arrays = {"empty": np.empty((0, 3)), "scalar": np.array("eV"), "zeros": np.zeros((1000, 9, 3)),
              "fortran": np.asfortranarray(np.ones((4, 3)))}  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        with (tmp_path / "pool.npz").open("wb") as file:
            save(file, **arrays)
        check_archive(tmp_path / "pool.npz")
    np.save(tmp_path / "a.npy", np.arange(7.0))
    check_array(tmp_path / "a.npy")


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_damaged_files_are_told(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = io.BytesIO()
    np.savez_compressed(content, z=[1, 1], R=np.arange(12.0).reshape(2, 2, 3), E=[0.0, 1.0], e_unit="eV")
    path = folder / "pool.npz"
    path.write_bytes(data.draw(damaged_bytes(content.getvalue())))
    with suppress(UsageError):
        assert len(read(path)) == 2
