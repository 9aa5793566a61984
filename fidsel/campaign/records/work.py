"""Labels under way, blocks of nodes, and how fast it goes, read from the campaign's folder alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import time
from typing import Any

from fidsel.fidelity.engine.task import Block
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.running import Running, RunningFile
from fidsel.fidelity.store.schema import ELSEWHERE


@dataclass(frozen=True)
class LabelUnderWay:
    """A label that runs.

    Parameters
    ----------
    frame, level : which.
    host : where; "" = with the driver.
    elapsed, predicted : s of wall time since it began, and that it is expected to take; None = unknown.
    """

    frame: str
    level: str
    host: str
    elapsed: float
    predicted: float | None


@dataclass(frozen=True)
class Work:
    """Labels under way.

    Parameters
    ----------
    running : those that have begun.
    waiting : how many have been ordered and have not begun.
    blocks : what a scheduler gives the campaign, or is asked for.
    awaited : how many other people are asked for, by the name of the level.
    per_hour : labels that ended since the present step began, per hour; None = it has just begun.
    """

    running: tuple[LabelUnderWay, ...] = ()
    waiting: int = 0
    blocks: tuple[Block, ...] = ()
    per_hour: float | None = None
    awaited: Mapping[str, int] = field(default_factory=dict)

    def seconds_left(self, labels: int) -> float | None:
        """Return the s that so many labels will take at the present rate; None = unknown.

        >>> Work(per_hour=120.0).seconds_left(4)
        120.0
        """
        return 3600.0 * labels / self.per_hour if self.per_hour else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def read_work(store: LabelStore, path: Path, since: float) -> Work:
    """Return what is under way.

    Parameters
    ----------
    store, path : the store, and its file.
    since : Unix time at which the present step began.
    """
    file = RunningFile(path)
    running, open_ones = (
        file.read(),
        store.query(
            f"""SELECT a.id, a.frame_id, f.name, a.predicted, a.threads FROM attempts a JOIN fidelities f
        ON f.key = a.key WHERE a.status = 'open' AND a.key NOT IN ({ELSEWHERE}) ORDER BY a.id"""
        ),
    )
    begun = [_label(running[row[0]], *row[1:]) for row in open_ones if row[0] in running]
    ended = store.query("SELECT count(*) FROM attempts WHERE finished > ? AND status = 'done'", [since])[0][0]
    hours = (time() - since) / 3600
    rate = ended / hours if ended and since and hours > 0 else None
    asked = store.query(
        f"""SELECT f.name, count(*) FROM attempts a JOIN fidelities f ON f.key = a.key
        WHERE a.status = 'open' AND a.key IN ({ELSEWHERE}) GROUP BY f.name"""
    )
    return Work(tuple(begun), len(open_ones) - len(begun), file.blocks(), rate, dict(asked))


def _label(now: Running, frame: str, level: str, predicted: float | None, threads: int) -> LabelUnderWay:
    return LabelUnderWay(frame, level, now.host, now.wall, predicted and predicted / threads)
