"""Files of broad clusters: npz archives of plain arrays, never unpickled."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from fidsel.data.archive import check_archive
from fidsel.data.atomic import replacing
from fidsel.exceptions import UsageError

VERSION = 2
"""Version 1 knew Ward on a subset only: no weights, method or projection."""

REQUIRED = {
    "labels", "reference", "reference_geometry", "geometry", "energy", "centroids", "representatives",
    "assignment", "notes",
}  # fmt: skip
UNREADABLE = (ValueError, EOFError, BadZipFile, zlib.error, OSError, RuntimeError)


def write_clusters(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write the arrays of some clusters and return the path."""
    contents: dict[str, Any] = {"version": np.array(VERSION), **arrays}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **contents)
    return path


def read_clusters(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that `write_clusters` wrote, those of version 1 completed.

    Raises
    ------
    UsageError
        where the file is something else, damaged, or of a later version.
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
    version = _version(path, arrays.get("version", np.array(1)))
    if version > VERSION:
        raise UsageError(
            f"{path} holds clusters in version {version}, known are those up to {VERSION}: install a later "
            "fidsel, or make the clusters anew"
        )
    if version == 1:
        arrays["weights"] = np.ones(len(arrays["reference"]), dtype=np.int64)
        arrays["method"] = np.array("subset")
    return arrays


def _version(path: Path, given: NDArray[Any]) -> int:
    try:
        return int(given)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a file of clusters: its version is {given!r}") from error
