"""Files compressed by gzip."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fidsel.exceptions import UsageError

PIECE = 1 << 20
FREE = 1 << 30
"""Bytes that a file may expand to whatever its size."""
MOST = 100
"""Beyond that it may expand to so many times its size only: text of numbers does to 2 to 10 times."""


@contextmanager
def expanded(path: Path, name: str) -> Iterator[Path]:
    """Yield the content of `data.xyz.gz` as a temporary file `data.xyz`.

    Raises `UsageError` where it is no whole gzip file, or expands beyond reason.
    """
    allowed = max(FREE, MOST * path.stat().st_size)
    with TemporaryDirectory(prefix="fidsel-") as folder:
        out = Path(folder) / path.stem
        with out.open("wb") as file:
            for written, piece in _pieces(path, name):
                if written > allowed:
                    raise UsageError(
                        f"{name} expands to more than {allowed / 1e9:.2g} GB, {MOST} times its size: this "
                        "is no file of labels; unpack it yourself if it is"
                    )
                file.write(piece)
        yield out


def _pieces(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of the content with the number of bytes so far."""
    written = 0
    try:
        with gzip.open(path, "rb") as file:
            while piece := file.read(PIECE):
                written += len(piece)
                yield written, piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{name} is not a whole gzip file: {error}; copy it again") from error
