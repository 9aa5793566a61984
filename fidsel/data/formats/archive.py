"""Whether files of arrays hold what their headers claim, found out before anything is read into memory."""

from collections.abc import Callable
from io import SEEK_END
from pathlib import Path
from tokenize import TokenError
from typing import IO, Final
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

LARGE: Final = 2**28
"""Bytes below which an archive may expand as it likes."""
RATIO: Final = 100
"""How many times larger than its file an archive of measured numbers may become: such numbers, even
repeated ones, shrink by far less than the 1000 times of an archive made to exhaust the memory."""
HEADERS: Final[dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def check_archive(path: Path) -> None:
    """Raise `ValueError` where an npz archive expands beyond measure, or a part claims more than it holds.

    Damaged archives raise what zipfile and NumPy raise for them.
    """
    with ZipFile(path) as archive:
        parts = archive.infolist()
        expanded, size = sum(part.file_size for part in parts), path.stat().st_size
        if expanded > max(LARGE, RATIO * size):
            raise ValueError(
                f"its {size} bytes expand to {expanded}, more than {RATIO} times as much, which no data of "
                "measured numbers do"
            )
        for part in parts:
            if part.filename.endswith(".npy"):
                with archive.open(part) as file:
                    _check(part.filename, file, part.file_size)


def check_array(path: Path) -> None:
    """Raise `ValueError` where an npy file is damaged or claims more numbers than it holds."""
    with path.open("rb") as file:
        size = file.seek(0, SEEK_END)
        file.seek(0)
        _check(path.name, file, size)


def _check(name: str, file: IO[bytes], size: int) -> None:
    """Compare the shape in the header of an npy file with the bytes there are."""
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"{name} is of npy version {version}, known are {', '.join(map(str, HEADERS))}")
    try:
        shape, _, dtype = HEADERS[version](file)
    except (SyntaxError, TokenError) as error:
        raise ValueError(f"the header of {name} is damaged: {error}") from error
    claimed = dtype.itemsize
    for length in shape:  # Python's integers: NumPy's would overflow
        claimed *= int(length)
    held = size - file.tell()
    if not dtype.hasobject and claimed > held:
        raise ValueError(f"{name} claims shape {shape} and so {claimed} bytes, it holds {held}")
