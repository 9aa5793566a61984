"""From rows of the store to frames, each checked against its id, and from labels to rows."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Label
from fidsel.fidelity.store.database import StoreError

COLUMNS: Final = "f.frame_id, f.numbers, f.positions, f.cell, f.pbc, f.charge, f.spin, f.grp"
LABEL: Final = "l.energy, l.forces"

Row = Sequence[Any]  # columns of several types


def unpacked(path: Path, rows: Iterable[Row]) -> Frames:
    """Return frames from rows of `COLUMNS`.

    Raises `StoreError` where a frame is not the one its id was made from: the file was damaged or changed.
    """
    rows = list(rows)
    frames = _whole(rows)
    if frames is None:
        raise _damaged(path, damaged(rows)[0], "configuration")
    return frames


def damaged(rows: Sequence[Row]) -> list[str]:
    """Return the ids of those rows of `COLUMNS` that do not hold what their id was made from."""
    if _whole(rows) is not None:
        return []
    return [row[0] for row in rows] if len(rows) == 1 else [name for row in rows for name in damaged([row])]


def damaged_labels(rows: Iterable[Row]) -> list[str]:
    """Return the ids of those rows of `COLUMNS` and `LABEL` whose energy or forces are not of their shape."""
    found = []
    for row in rows:
        energy, forces = row[8], row[9]
        shaped = forces is None or (type(forces) is type(row[2]) is bytes and len(forces) == len(row[2]))
        if type(energy) is not float or not shaped:
            found.append(row[0])
    return found


def unpacked_labels(path: Path, rows: Iterable[Row], level: str) -> Frames:
    """Return labelled frames from rows of `COLUMNS` and `LABEL`; forces are NaN where there are none.

    Raises `StoreError` as `unpacked`, and where energy or forces are not of the frame's shape.
    """
    rows = list(rows)
    frames = unpacked(path, rows)
    if wrong := damaged_labels(rows):
        raise _damaged(path, wrong[0], f"label at {level}")
    forces = [np.full(len(row[2]) // 8, np.nan).tobytes() if row[9] is None else row[9] for row in rows]
    return frames.replace(
        energy=[row[8] for row in rows],
        forces=np.frombuffer(b"".join(forces), np.float64).reshape(-1, 3),
        level=level,
    )


def _whole(rows: Sequence[Row]) -> Frames | None:
    """Return the frames of some rows, None where one of them is damaged."""
    try:
        if any(type(row[column]) is not int for row in rows for column in (5, 6)):
            return None
        frames = _packed(rows)
        return frames if frames.ids == tuple(row[0] for row in rows) else None
    except (UsageError, ValueError, TypeError):
        return None


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


def packed_label(label: Label) -> tuple[float, bytes | None, str]:
    """Return energy in eV, packed forces and provenance as JSON of a label, as its row holds them."""
    forces = None if label.forces is None else label.forces.astype(np.float64).tobytes()
    return label.energy, forces, json.dumps(dict(label.provenance), default=_json_value)


def _json_value(value: object) -> object:
    """Return a value that JSON can hold: NumPy's scalars as Python's, anything else as its text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _damaged(path: Path, frame: str, what: str) -> StoreError:
    return StoreError(
        path,
        f"the {what} of frame {frame} is not what was stored: the disk or another program has changed the "
        "file. `fidsel doctor` lists all such frames; put back a copy made by `fidsel backup`, and check the "
        "disk",
    )
