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
from fidsel.campaign.selection.settings import NONE, Division, SelectionRound
from fidsel.data.archive import check_archive
from fidsel.data.atomic import replacing
from fidsel.exceptions import UsageError
from fidsel.selector.cluster_error import ClusterErrors
from fidsel.selector.conformal import Score
from fidsel.selector.pool import Picks
from fidsel.selector.stopping import Stop, Why
from fidsel.training.evaluate import Metrics

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
        picked = [(one.index, one.picks) for one in self.rounds if one.picks is not None]
        arrays = {
            "picks": np.concatenate([NONE, *(picks.indices for _, picks in picked)]),
            "round": np.concatenate([NONE, *(np.full(len(picks), index) for index, picks in picked)]),
            "cluster": np.concatenate([NONE, *(picks.cluster for _, picks in picked)]),
            "reason": np.array([why for _, picks in picked for why in picks.reason], dtype=np.str_),
            "start": self.division.start,
            "held_out": self.division.held_out,
            "known": self.division.known,
            "probes": np.concatenate([NONE, *(one.probes for one in self.rounds)]),
            "task": np.array(json.dumps(self.task)),
            "rounds": np.array(json.dumps([_to_dict(one) for one in self.rounds])),
            "control": np.array(json.dumps([_to_dict(one) for one in self.control])),
        }
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        return Path(path)


def read_rounds(
    path: Path | str, task: Mapping[str, Any]
) -> tuple[list[SelectionRound], list[SelectionRound]]:
    """Return the rounds that an earlier run of a task kept in a file, and those of its control arm.

    None where there is no file.

    Raises
    ------
    UsageError
        where the file is not of a selection, or of another task.
    """
    if not Path(path).exists():
        return [], []
    with _reading(path) as file:
        kept, *arms = (json.loads(str(file[name])) for name in ("task", "rounds", "control"))
        rounds, control = ([_from_dict(row) for row in rows] for rows in arms)
    now = json.loads(json.dumps(task))
    if other := sorted(name for name in {*kept, *now} if kept.get(name) != now.get(name)):
        raise UsageError(
            f"{path} holds another selection (it differs in {', '.join(other)}): name another file, or "
            "remove this one"
        )
    return rounds, control


def read_known(path: Path | str) -> BoolArray | None:
    """Return (n,) True for frames that had a label when the selection in a file began; None without a file.

    Raises
    ------
    UsageError
        where the file is not of a selection.
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


def _to_dict(one: SelectionRound) -> dict[str, Any]:
    picks = one.picks
    row = {name: getattr(one, name) for name in ("index", "labels", "seconds", "notes")}
    row |= {name: _plain(getattr(one, name)) for name in ("held_out", "pool", "clusters", "estimate")}
    row["stop"] = None if one.stop is None else asdict(one.stop)
    row["probes"] = one.probes.tolist()
    row["picks"] = None
    if picks is not None:
        arrays = {name: getattr(picks, name).tolist() for name in ("indices", "fidelity", "cluster")}
        row["picks"] = arrays | {"reason": picks.reason, "notes": picks.notes}
    return row


def _plain(value: Metrics | ClusterErrors | Score | None) -> dict[str, Any] | None:
    return None if value is None else value.to_dict()


def _from_dict(row: Mapping[str, Any]) -> SelectionRound:
    picks = row["picks"]
    if picks is not None:
        indices, fidelity, cluster = (
            np.array(picks[name], dtype=np.int64) for name in ("indices", "fidelity", "cluster")
        )
        picks = Picks(indices, fidelity, cluster, tuple(picks["reason"]), tuple(picks["notes"]))
    names = ("held_out", "pool", "clusters", "estimate", "stop")
    held_out, pool, clusters, estimate, stop = (row[name] for name in names)
    return SelectionRound(
        index=row["index"],
        picks=picks,
        probes=np.array(row["probes"], dtype=np.int64),
        labels=row["labels"],
        held_out=held_out and Metrics(**held_out),
        pool=pool and Metrics(**pool),
        clusters=clusters and ClusterErrors.from_dict(clusters),
        estimate=estimate and Score(**estimate),
        seconds=row["seconds"],
        notes=tuple(row["notes"]),
        stop=stop and Stop(Why(stop["why"]), stop["text"]),
    )


def plain_round(one: SelectionRound) -> dict[str, Any]:
    """Return a round as plain values for JSON, its picks as rows of the file."""
    row = _to_dict(one)
    picks, stop = row.pop("picks"), row.pop("stop") or {"why": "", "text": ""}
    rows = [] if picks is None else picks["indices"]
    return row | {"picks": rows, "stop": stop["text"], "why": stop["why"]}
