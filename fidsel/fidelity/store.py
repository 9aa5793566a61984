"""`LabelStore`: frames, labels and ledger in one SQLite file, the truth of a campaign."""

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from fidsel.data import Frames
from fidsel.data.frames import FloatArray
from fidsel.errors import UsageError
from fidsel.fidelity.database import ADVICE, StoreError, connect, explained
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.schema import APPLICATION, TABLES, VERSION

COLUMNS: Final = "f.frame_id, f.numbers, f.positions, f.cell, f.pbc, f.charge, f.spin, f.grp"
CHUNK: Final = 500
"""Ids per query, below SQLite's least limit on variables."""

FAILED: Final = ("failed", "timeout", "crashed")
"""How an attempt can end that the same configuration would end in again."""

SOUND: Final = "ifnull(l.quarantine, '') = ''"
"""Labels that may be used, of those in `labels l`: not set aside."""

LABELS: Final = "SELECT 1 FROM labels l WHERE l.key = ? AND l.frame_id = f.frame_id"
"""Labels of a frame in `frames f`."""


@dataclass(frozen=True)
class Statistics:
    """Attempts at one fidelity.

    Parameters
    ----------
    done, failed, lost, open : attempts that gave a label; that failed, crashed or passed the time
        limit; that ended with their driver or were cancelled; that are under way.
    seconds : core-seconds of all attempts that ended.
    mean_seconds : core-seconds of a label, NaN where there is none.
    """

    done: int
    failed: int
    lost: int
    open: int
    seconds: float
    mean_seconds: float


class LabelStore:
    """Frames, labels, attempts and ledger of a campaign in one SQLite file.

    One driver opens it (see `CampaignLock`); workers return labels and never see it. Every change is
    on the disk when the call that made it returns.

    Parameters
    ----------
    path : the file; made where there is none.
    read_only : look only, e.g. for a report while a driver works.

    Raises
    ------
    StoreError
        where the file is damaged, no label store, made by another version, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    >>> with tempfile.TemporaryDirectory() as folder, LabelStore(Path(folder) / "labels.db") as store:
    ...     store.add_frames(water), store.add_frames(water), store.frames().ids == water.ids
    (1, 0, True)
    """

    def __init__(self, path: Path | str, read_only: bool = False) -> None:
        self.path = Path(path)
        if read_only and not self.path.is_file():
            raise StoreError(self.path, "there is no such file to read")
        self.connection = connect(self.path, read_only)
        self.usage: Callable[[], Mapping[int, float]] = dict
        """Tells the core-seconds of attempts under way, by id; may be called from another thread."""
        try:
            with explained(self.path):
                self._prepare(read_only)
        except (sqlite3.Error, StoreError):
            self.connection.close()
            raise

    def _prepare(self, read_only: bool) -> None:
        """Make the tables in an empty file; refuse another program's file or another version's."""
        application = self.connection.execute("PRAGMA application_id").fetchone()[0]
        tables = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables == 0 and not read_only:
            self.connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION};"
                f"PRAGMA user_version = {VERSION}; {TABLES}"
                f"INSERT INTO meta VALUES ('schema', '{VERSION}'), ('created', '{time()}'); COMMIT;"
            )
        elif application != APPLICATION:
            raise StoreError(self.path, ADVICE[sqlite3.SQLITE_NOTADB])
        version = self.connection.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise StoreError(
                self.path,
                f"this fidsel reads stores of version {VERSION}, got version {version}; use the fidsel "
                "that wrote it or start a new store",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection, None, None]:
        """Do several changes or none: committed to the disk at the end, undone by any exception."""
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:  # rows are of any types
        """Return all rows of a query."""
        with explained(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def add_frames(self, frames: Frames) -> int:
        """Store configurations in their order, known ones once only; return how many were new."""
        pbc, cell = np.ascontiguousarray(frames.pbc), np.ascontiguousarray(frames.cell)
        bounds = frames.offsets.tolist()
        rows = (
            (
                frame_id,
                frames.numbers[bounds[i] : bounds[i + 1]].tobytes(),
                frames.positions[bounds[i] : bounds[i + 1]].tobytes(),
                cell[i].tobytes(),
                pbc[i].tobytes(),
                int(frames.charge[i]),
                int(frames.spin[i]),
                str(frames.group[i]),
            )
            for i, frame_id in enumerate(frames.ids)
        )
        insert = """INSERT INTO frames (frame_id, numbers, positions, cell, pbc, charge, spin, grp)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (frame_id) DO NOTHING"""
        with self.transaction() as connection:
            before = connection.total_changes
            connection.executemany(insert, rows)
            return connection.total_changes - before

    def frames(self, ids: Sequence[str] | None = None) -> Frames:
        """Return configurations without labels, all in order of insertion or those with the given ids."""
        if ids is None:
            return unpacked(self.query(f"SELECT {COLUMNS} FROM frames f ORDER BY f.seq"))
        return unpacked(self._rows(COLUMNS, "frames f", (), ids, "are not in the store"))

    def labelled(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> Frames:
        """Return configurations with their labels, those set aside left out; `level` is the fidelity's name.

        Parameters
        ----------
        fidelity : whose labels; forces are NaN where the level has energies only.
        ids : which frames and in which order; None = all that are labelled, in order of insertion.

        Raises
        ------
        UsageError
            where one of the ids has no label.
        """
        columns = f"{COLUMNS}, l.energy, l.forces"
        tables = "labels l JOIN frames f USING (frame_id)"
        if ids is None:
            sql = f"SELECT {columns} FROM {tables} WHERE l.key = ? AND {SOUND} ORDER BY f.seq"
            rows = self.query(sql, [fidelity.key])
        else:
            lack = f"have no label at {fidelity.name}"
            rows = self._rows(columns, f"{tables} WHERE l.key = ? AND {SOUND}", (fidelity.key,), ids, lack)
        frames = unpacked(rows)
        forces = [
            row[9] if row[9] is not None else np.full(len(row[2]) // 8, np.nan).tobytes() for row in rows
        ]
        return frames.replace(
            energy=[row[8] for row in rows],
            forces=np.frombuffer(b"".join(forces), np.float64).reshape(-1, 3),
            level=fidelity.name,
        )

    def _rows(
        self, columns: str, tables: str, parameters: Sequence[str], ids: Sequence[str], lack: str
    ) -> list[Any]:
        """Return one row per id, in the order of the ids."""
        joined = "AND" if "WHERE" in tables else "WHERE"
        found: dict[str, Any] = {}
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT {columns} FROM {tables} {joined} f.frame_id IN ({marks})"
            found |= {row[0]: row for row in self.query(sql, [*parameters, *chunk])}
        if missing := [frame_id for frame_id in ids if frame_id not in found]:
            raise UsageError(f"{len(missing)} of {len(ids)} frames {lack}, the first is {missing[0]}")
        return [found[frame_id] for frame_id in ids]

    def label_ids(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of labelled frames, those set aside left out, in order of insertion.

        Parameters
        ----------
        fidelity : whose labels.
        ids : which frames to look at; None = all.
        """
        return self._ids(f"EXISTS ({LABELS} AND {SOUND})", fidelity, ids)

    def aside_ids(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of frames whose label is set aside (see `quarantine`), in order of insertion."""
        return self._ids(f"EXISTS ({LABELS} AND l.quarantine != '')", fidelity, ids)

    def unseen_ids(self, fidelity: Fidelity) -> tuple[str, ...]:
        """Return the ids of frames whose label nothing has judged yet, in order of insertion."""
        return self._ids(f"EXISTS ({LABELS} AND l.quarantine IS NULL)", fidelity, None)

    def failed_ids(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of frames without a label to use that are not tried again, in order of insertion.

        They failed, or their label is set aside.

        Parameters
        ----------
        fidelity : at which level.
        ids : which frames to look at; None = all.
        """
        failed = f"""EXISTS (SELECT 1 FROM attempts a WHERE a.key = ? AND a.frame_id = f.frame_id
            AND a.status IN {FAILED} AND a.retry = 0)"""
        aside = f"EXISTS ({LABELS} AND l.quarantine != '')"
        return self._ids(f"({failed} AND NOT EXISTS ({LABELS}) OR {aside})", fidelity, ids)

    def _ids(self, condition: str, fidelity: Fidelity, ids: Sequence[str] | None) -> tuple[str, ...]:
        """Return the ids of `frames f` that meet a condition on a level, in order of insertion."""
        key = [fidelity.key] * condition.count("?")
        sql = f"SELECT f.seq, f.frame_id FROM frames f WHERE {condition}"
        if ids is None:
            return tuple(row[1] for row in self.query(f"{sql} ORDER BY f.seq", key))
        found: list[tuple[int, str]] = []
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            marks = ",".join("?" * len(chunk))
            found += self.query(f"{sql} AND f.frame_id IN ({marks})", [*key, *chunk])
        return tuple(frame_id for _, frame_id in sorted(set(found)))

    def failures(self, fidelity: Fidelity) -> Mapping[str, str]:
        """Return the last error text of each frame that failed, or why its label is set aside."""
        sql = f"""SELECT a.frame_id, a.error FROM attempts a WHERE a.key = ? AND a.status IN {FAILED}
            AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.key = a.key AND l.frame_id = a.frame_id)
            ORDER BY a.id"""
        aside = """SELECT frame_id, 'set aside: ' || quarantine FROM labels
            WHERE key = ? AND quarantine != ''"""
        return dict([*self.query(sql, [fidelity.key]), *self.query(aside, [fidelity.key])])

    def judge(self, fidelity: Fidelity, verdicts: Mapping[str, str | None]) -> None:
        """Write down, by frame id, why labels are set aside; None where they are sound."""
        rows = [(why or "", fidelity.key, frame_id) for frame_id, why in verdicts.items()]
        with self.transaction() as connection:
            connection.executemany("UPDATE labels SET quarantine = ? WHERE key = ? AND frame_id = ?", rows)

    def statistics(self, fidelity: Fidelity) -> Statistics:
        """Return how many attempts at a fidelity ended how, and their core-seconds."""
        sql = "SELECT status, count(*), total(seconds) FROM attempts WHERE key = ? GROUP BY status"
        counts = {row[0]: (row[1], row[2]) for row in self.query(sql, [fidelity.key])}

        def number(*statuses: str) -> int:
            return sum(counts.get(status, (0, 0.0))[0] for status in statuses)

        done, seconds = counts.get("done", (0, 0.0))
        return Statistics(
            done,
            number(*FAILED),
            number("lost", "cancelled"),
            number("open"),
            sum(part for _, part in counts.values()),
            seconds / done if done else float("nan"),
        )

    def measured(self, fidelity: Fidelity) -> tuple[tuple[str, ...], FloatArray]:
        """Return the ids of labelled frames, in order of insertion, and their core-seconds (n,)."""
        sql = """SELECT l.frame_id, a.seconds FROM labels l JOIN attempts a ON a.id = l.attempt
            JOIN frames f ON f.frame_id = l.frame_id WHERE l.key = ? ORDER BY f.seq"""
        rows = self.query(sql, [fidelity.key])
        return tuple(row[0] for row in rows), np.array([row[1] for row in rows], dtype=np.float64)

    def provenance(self, fidelity: Fidelity, frame_id: str) -> Mapping[str, Any]:
        """Return what the source said about one label: program, version, diagnostics."""
        sql = "SELECT provenance FROM labels WHERE key = ? AND frame_id = ?"
        rows = self.query(sql, [fidelity.key, frame_id])
        if not rows:
            raise UsageError(f"frame {frame_id} has no label at {fidelity.name}")
        return dict(json.loads(rows[0][0]))

    def put_record(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON-able mapping under a name, replacing an earlier one."""
        text = json.dumps(value, sort_keys=True)
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", [name, text, time()])

    def record(self, name: str) -> dict[str, Any] | None:
        """Return the mapping written under a name; None where there is none."""
        rows = self.query("SELECT value FROM records WHERE name = ?", [name])
        return dict(json.loads(rows[0][0])) if rows else None


def unpacked(rows: Iterable[Sequence[Any]]) -> Frames:
    """Return frames from rows that begin with `COLUMNS`."""
    rows = list(rows)

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
