"""Files of broad clusters: npz archives of plain arrays, never unpickled."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from fidsel.data.atomic import replacing
from fidsel.data.formats.archive import check_archive
from fidsel.exceptions import UsageError

VERSION = 3
"""Of the arrays and their meaning; other versions are not read."""

REQUIRED = {
    "labels", "reference", "reference_geometry", "geometry", "energy", "centroids", "weights", "method",
    "notes", "version",
}  # fmt: skip
UNREADABLE = (ValueError, EOFError, BadZipFile, zlib.error, OSError, RuntimeError)


def write_clusters(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write the arrays of some clusters and return the path."""
    contents: dict[str, Any] = {"version": np.array(VERSION), **arrays}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **contents)
    return path


def read_clusters(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that `write_clusters` wrote.

    Raises a `UsageError` where the file is something else, damaged, or of another version.
    """
    try:
        check_archive(path)
        with ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except UNREADABLE as error:
        raise UsageError(
            f"{path} is not a whole file of clusters: {error}. Make the clusters anew"
        ) from error
    if missing := REQUIRED - set(arrays):
        raise UsageError(f"{path} is not a file of clusters: it lacks {', '.join(sorted(missing))}")
    if arrays["version"].tolist() != VERSION:
        raise UsageError(
            f"{path} must hold clusters of version {VERSION}, got {arrays['version'].tolist()!r}: use the "
            "fidsel that wrote it, or make the clusters anew"
        )
    return arrays
