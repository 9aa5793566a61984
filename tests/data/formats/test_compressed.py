import gzip
from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames, read, write
from fidsel.data.formats import compressed
from fidsel.exceptions import UsageError

H2 = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.74]]], energy=[-31.5], forces=np.ones((1, 2, 3)))


def zipped(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


@pytest.mark.parametrize("suffix", [".xyz", ".npz", ".db"])
def test_compressed_files_are_read(suffix: str, tmp_path: Path) -> None:
    path = zipped(write(tmp_path / f"a{suffix}", H2))
    frames = read(path, level="hf")
    assert frames.energy.tolist() == [-31.5]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_faults_are_named_with_the_compressed_file(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("2\n\nH 0 0 0\n")
    with pytest.raises(UsageError, match=rf"{tmp_path}/a\.xyz\.gz, line 1: the frame has 2 atoms"):
        read(zipped(tmp_path / "a.xyz"))


@pytest.mark.parametrize("kept", [slice(-20), slice(30, None), slice(0, None, 2)])
def test_what_is_not_whole_is_refused(kept: slice, tmp_path: Path) -> None:
    path = zipped(write(tmp_path / "a.xyz", H2))
    path.write_bytes(path.read_bytes()[kept])
    with pytest.raises(UsageError, match=r"a\.xyz\.gz is not a whole gzip file"):
        read(path)


def test_what_expands_beyond_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "FREE", 1_000_000)
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(UsageError, match=r"a\.xyz\.gz expands to more than 0\.001 GB, 100 times its size"):
        read(tmp_path / "a.xyz.gz")


def test_an_unknown_format_is_named_by_its_inner_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.cif.gz").write_bytes(gzip.compress(b"data"))
    with pytest.raises(UsageError, match=r"unknown file format of .*a\.cif\.gz: '\.cif'"):
        read(tmp_path / "a.cif.gz")
