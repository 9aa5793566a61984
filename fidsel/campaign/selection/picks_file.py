"""The file of a selection: which rows were picked, in which order and why, and the record of each round."""

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from fidsel.arrays import BoolArray
from fidsel.campaign.selection.settings import Division, SelectionRound
from fidsel.data.atomic import replacing
from fidsel.data.formats.archive import check_archive
from fidsel.data.typed import from_plain
from fidsel.exceptions import UsageError

UNREADABLE = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, EOFError,
    RuntimeError, BadZipFile, zlib.error,
)  # fmt: skip
"""What zipfile, NumPy and JSON raise for a damaged file, and what its arrays do where they do not fit."""


@dataclass(frozen=True, eq=False)
class PicksFile:
    """A selection as it is kept, an `npz` archive without pickles.

    ============ ============ ======================================================
    array        shape        meaning
    ============ ============ ======================================================
    picks        (k,)         rows of the pool's file, in order of picking
    round        (k,)         the round that picked each, from 1
    cluster      (k,)         its broad cluster, −1 = none
    reason       (k,) text    why
    start        (s,)         rows the selection started from, in order of drawing
    held_out     (h,)         rows that are never picked
    known        (n,)         whether each frame had a label when the selection began
    probes       (p,)         rows labelled, or to be, to estimate errors, in order of drawing
    task         text, JSON   what was selected, from what and how
    rounds       text, JSON   the record of each round
    control      text, JSON   the same of the control arm, which picks at random
    ============ ============ ======================================================
    """

    task: Mapping[str, Any]
    division: Division
    rounds: tuple[SelectionRound, ...]
    control: tuple[SelectionRound, ...] = ()

    def save(self, path: Path | str) -> Path:
        """Write the file, all or nothing, and return its path."""
        picked = [(one.index, pick) for one in self.rounds for pick in one.picks]
        arrays = {
            "picks": np.array([pick.row for _, pick in picked], dtype=np.int64),
            "round": np.array([index for index, _ in picked], dtype=np.int64),
            "cluster": np.array([pick.cluster for _, pick in picked], dtype=np.int64),
            "reason": np.array([pick.reason for _, pick in picked], dtype=np.str_),
            "start": self.division.start,
            "held_out": self.division.held_out,
            "known": self.division.known,
            "probes": np.array([row for one in self.rounds for row in one.probes], dtype=np.int64),
            "task": np.array(json.dumps(self.task)),
            "rounds": np.array(json.dumps([asdict(one) for one in self.rounds])),
            "control": np.array(json.dumps([asdict(one) for one in self.control])),
        }
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        return Path(path)


def read_rounds(
    path: Path | str, task: Mapping[str, Any]
) -> tuple[list[SelectionRound], list[SelectionRound]]:
    """Return the rounds that an earlier run of a task kept in a file, and those of its control arm.

    None where there is no file. Raises a `UsageError` where the file is not of a selection, or of another
    task.
    """
    if not Path(path).exists():
        return [], []
    with _reading(path) as file:
        kept, *arms = (json.loads(str(file[name])) for name in ("task", "rounds", "control"))
        rounds, control = ([from_plain(SelectionRound, row) for row in rows] for rows in arms)
    now = json.loads(json.dumps(task))
    if other := sorted(name for name in {*kept, *now} if kept.get(name) != now.get(name)):
        raise UsageError(
            f"{path} holds another selection (it differs in {', '.join(other)}): name another file, or "
            "remove this one"
        )
    return rounds, control


def read_known(path: Path | str) -> BoolArray | None:
    """Return (n,) True for frames that had a label when the selection in a file began; None without a file.

    Raises a `UsageError` where the file is not of a selection.
    """
    if not Path(path).exists():
        return None
    with _reading(path) as file:
        return np.asarray(file["known"], dtype=np.bool_)


@contextmanager
def _reading(path: Path | str) -> Iterator[Mapping[str, Any]]:  # Any: arrays
    """Give the arrays of a file; what goes wrong with them is a `UsageError`."""
    try:
        check_archive(Path(path))
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            yield file
    except UNREADABLE as error:
        raise UsageError(f"{path} is not a file of picks ({error}): name another one to write to") from error


def plain_round(one: SelectionRound) -> dict[str, Any]:
    """Return a round as plain values for JSON, its picks as rows of the file."""
    stop = {"why": "", "stop": ""} if one.stop is None else {"why": one.stop.why, "stop": one.stop.text}
    return asdict(one) | {"picks": [pick.row for pick in one.picks]} | stop
