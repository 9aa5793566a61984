"""From rows of the store to frames, each checked against its id."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from fidsel.data import Frames
from fidsel.errors import UsageError
from fidsel.fidelity.database import StoreError

COLUMNS: Final = "f.frame_id, f.numbers, f.positions, f.cell, f.pbc, f.charge, f.spin, f.grp"
LABEL: Final = "l.energy, l.forces"

Row = Sequence[Any]  # columns of several types


def unpacked(path: Path, rows: Iterable[Row]) -> Frames:
    """Return frames from rows of `COLUMNS`.

    Raises
    ------
    StoreError
        where a frame is not the one its id was made from: the file was damaged or changed.
    """
    rows = list(rows)
    try:
        frames = _packed(rows)
        same = frames.ids == tuple(row[0] for row in rows)
    except (UsageError, ValueError, TypeError):
        same = False
    if not same:
        raise _damaged(path, next((row for row in rows if not _is_whole(row)), rows[0])[0], "configuration")
    return frames


def unpacked_labels(path: Path, rows: Iterable[Row], level: str) -> Frames:
    """Return labelled frames from rows of `COLUMNS` and `LABEL`; forces are NaN where there are none.

    Raises
    ------
    StoreError
        as `unpacked`, and where energy or forces are not of the frame's shape.
    """
    rows = list(rows)
    frames, forces = unpacked(path, rows), []
    for row in rows:
        energy, blob, size = row[8], row[9], len(row[2])
        if type(energy) is not float or not (blob is None or (isinstance(blob, bytes) and len(blob) == size)):
            raise _damaged(path, row[0], f"label at {level}")
        forces.append(np.full(size // 8, np.nan).tobytes() if blob is None else blob)
    return frames.replace(
        energy=[row[8] for row in rows],
        forces=np.frombuffer(b"".join(forces), np.float64).reshape(-1, 3),
        level=level,
    )


def _packed(rows: Sequence[Row]) -> Frames:
    def joined(column: int, dtype: type) -> Any:  # an array of the given type
        return np.frombuffer(b"".join(row[column] for row in rows), dtype)

    sizes = np.array([len(row[1]) // 8 for row in rows], dtype=np.int64)
    return Frames.pack(
        joined(1, np.int64),
        joined(2, np.float64).reshape(-1, 3),
        np.concatenate([[0], np.cumsum(sizes)]),
        cell=joined(3, np.float64).reshape(-1, 3, 3),
        pbc=joined(4, np.bool_).reshape(-1, 3),
        charge=[row[5] for row in rows],
        spin=[row[6] for row in rows],
        group=np.array([row[7] for row in rows], dtype=np.str_),
    )


def _is_whole(row: Row) -> bool:
    try:
        return _packed([row]).ids == (row[0],)
    except (UsageError, ValueError, TypeError):
        return False


def _damaged(path: Path, frame: str, what: str) -> StoreError:
    return StoreError(
        path,
        f"the {what} of frame {frame} is not what was stored: the disk or another program has changed the "
        "file. `fidsel doctor` lists all such frames; put back a copy made by `fidsel backup`, and check the "
        "disk",
    )
