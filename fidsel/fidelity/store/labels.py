"""`LabelStore`: frames, labels and ledger in one SQLite file, the truth of a campaign."""

import json
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final, Self

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.spool import Spool
from fidsel.fidelity.engine.task import Block
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.database import ADVICE, TIMEOUT, StoreError, connect, explained
from fidsel.fidelity.store.rows import COLUMNS, LABEL, unpacked, unpacked_labels
from fidsel.fidelity.store.running import Running
from fidsel.fidelity.store.schema import APPLICATION, make, require_version
from fidsel.fidelity.store.seal import Seal

CHUNK: Final = 500
"""Ids per query, below SQLite's least limit on variables."""

MANY: Final = 10 * CHUNK
"""Ids from which on it is quicker to ask for all there are."""

FAILED: Final = ("failed", "timeout", "crashed")
"""Ends of an attempt after which another attempt at the same frame would end the same way."""

SOUND: Final = "ifnull(l.quarantine, '') = ''"
"""SQL condition on `labels l`: labels that may be used, as they are not set aside."""

ASIDE: Final = "SELECT l.frame_id FROM labels l WHERE l.key = ? AND l.quarantine != ''"
"""SQL query for the frames whose label at a level is set aside."""

PATIENCE: Final = 200
"""ms that a checkpoint of SQLite's log waits for processes that are reading the store."""


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
    on the disk when the call that made it returns. A `Seal` beside the file tells how many labels it holds.

    Parameters
    ----------
    path : the file; made where there is none.
    read_only : look only, e.g. for a report while a driver works.

    Raises
    ------
    StoreError
        where the file is damaged, no label store, made by a later version, or cannot be written, and where
        it has lost labels or is not the store that was here before (see `Seal`).

    Examples
    --------
    >>> import tempfile
    >>> water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    >>> with tempfile.TemporaryDirectory() as folder, LabelStore(Path(folder) / "labels.db") as store:
    ...     store.add_frames(water), store.add_frames(water), store.frames().ids == water.ids
    (1, 0, True)
    """

    def __init__(self, path: Path | str, read_only: bool = False) -> None:
        self.path, self.read_only = Path(path), read_only
        self._there = self.path.absolute()  # the current folder may change
        seal = Seal.read(self.path)  # before the store is looked at: a driver may be adding labels
        if not self.path.exists():
            if seal is not None:
                seal.check(self.path, "", 0)
            if read_only:
                raise StoreError(self.path, "there is no such file to read")
        self.connection = connect(self.path, read_only)
        self.usage: Callable[[], Mapping[int, Running]] = dict
        """Tells what attempts under way have used, by id; may be called from another thread."""
        self.blocks: Callable[[], Sequence[Block]] = tuple
        """Tells what a scheduler gives them; may be called from another thread."""
        self.spool = Spool(self.path)
        self._open, self._sealed = True, -1
        try:
            with explained(self.path):
                self._prepare(seal)
        except (sqlite3.Error, FidselError):
            self.connection.close()
            raise

    def _prepare(self, seal: Seal | None) -> None:
        """Make the tables in an empty file; refuse another program's file, or one that lost labels."""
        if self._scalar("SELECT count(*) FROM sqlite_master") == 0:
            if seal is not None:
                seal.check(self.path, "", 0)
            if not self.read_only:
                make(self.connection)
        if self._scalar("PRAGMA application_id") != APPLICATION:
            raise StoreError(self.path, ADVICE[sqlite3.SQLITE_NOTADB])
        require_version(self.path, self.connection)
        if seal is not None:
            seal.check(self.path, self.identity, self.count())
        if not self.read_only:
            self.checkpoint()
            self._seal()

    @property
    def identity(self) -> str:
        """What tells this store from all others; drawn when it was made."""
        return str(self._scalar("SELECT value FROM meta WHERE name = 'store'"))

    def count(self) -> int:
        """Return how many labels the store holds, over all fidelities."""
        return int(self._scalar("SELECT total(attempts) FROM tallies WHERE status = 'done'"))

    def _scalar(self, sql: str) -> Any:  # of any type
        return self.connection.execute(sql).fetchone()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        if self._open and not self.read_only:
            self.checkpoint()
            self.spool.close()
        self._open = False
        self.connection.close()

    def checkpoint(self) -> bool:
        """Move what the write-ahead log holds into the file itself; return whether all of it is there now.

        Where the disk is full, or another process reads for long, it stays in the log, which is as safe.
        """
        try:
            self.connection.execute(f"PRAGMA busy_timeout = {PATIENCE}")
            _, logged, moved = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {1000 * TIMEOUT:.0f}")
        return bool(logged == moved)

    def _seal(self) -> None:
        """Write down how many labels are safe, where there are more than before.

        A seal that cannot be written lags behind, which is true still: the store may hold more.
        """
        labels = self.count()
        if labels != self._sealed:
            with suppress(FidselError, OSError):
                Seal(self.identity, labels).write(self._there)
                self._sealed = labels

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
            self._seal()

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
            for i, frame_id in self._unknown(frames.ids)
        )
        insert = """INSERT INTO frames (frame_id, numbers, positions, cell, pbc, charge, spin, grp)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (frame_id) DO NOTHING"""
        with self.transaction() as connection:
            before = connection.total_changes
            connection.executemany(insert, rows)
            return connection.total_changes - before

    def _unknown(self, ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return the ids that are not in the store, with their rows."""
        known = set(self._found("SELECT frame_id FROM frames WHERE true", (), ids))
        return [(i, frame_id) for i, frame_id in enumerate(ids) if frame_id not in known]

    def frames(self, ids: Sequence[str] | None = None) -> Frames:
        """Return configurations without labels, all in order of insertion or those with the given ids.

        Raises `UsageError` where one of the ids is not in the store; `StoreError` where a configuration is
        not the one its id was made from.
        """
        if ids is None:
            return unpacked(self.path, self.query(f"SELECT {COLUMNS} FROM frames f ORDER BY f.seq"))
        return unpacked(self.path, self._rows(COLUMNS, "frames f", (), ids, "are not in the store"))

    def labelled(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> Frames:
        """Return configurations with their labels, those set aside left out; `level` is the fidelity's name.

        Raises `UsageError` where one of the ids has no label; `StoreError` where a configuration is not the
        one its id was made from, or a label is damaged.

        Parameters
        ----------
        fidelity : whose labels; forces are NaN where the level has energies only.
        ids : which frames and in which order; None = all that are labelled, in order of insertion.
        """
        columns = f"{COLUMNS}, {LABEL}"
        tables = "labels l JOIN frames f USING (frame_id)"
        if ids is None:
            sql = f"SELECT {columns} FROM {tables} WHERE l.key = ? AND {SOUND} ORDER BY f.seq"
            rows = self.query(sql, [fidelity.key])
        else:
            lack = f"have no label at {fidelity.name}"
            rows = self._rows(columns, f"{tables} WHERE l.key = ? AND {SOUND}", (fidelity.key,), ids, lack)
        return unpacked_labels(self.path, rows, fidelity.name)

    def _rows(
        self, columns: str, tables: str, parameters: Sequence[str], ids: Sequence[str], lack: str
    ) -> list[Any]:
        """Return one row per id, in the order of the ids."""
        sql = f"SELECT {columns} FROM {tables} {'AND' if 'WHERE' in tables else 'WHERE'} f.frame_id IN "
        found = {row[0]: row for row in self._among(sql, parameters, ids)}
        if missing := [frame_id for frame_id in ids if frame_id not in found]:
            raise UsageError(f"{len(missing)} of {len(ids)} frames {lack}, the first is {missing[0]}")
        return [found[frame_id] for frame_id in ids]

    def _among(self, sql: str, parameters: Sequence[str], ids: Sequence[str]) -> Iterator[Any]:
        """Yield the rows of a query that ends in `IN`, asked for some ids at a time."""
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            yield from self.query(f"{sql} ({','.join('?' * len(chunk))})", [*parameters, *chunk])

    def label_ids(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of labelled frames, those set aside left out.

        Parameters
        ----------
        ids : which frames to look at, and the order of the answer; None = all, in order of insertion.
        """
        aside = "SELECT rowid FROM labels WHERE key = ?1 AND quarantine != ''"
        sound = f"SELECT frame_id FROM labels WHERE key = ?1 AND rowid NOT IN ({aside})"
        return self._ids([sound], fidelity, ids)

    def aside_ids(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of frames whose label is set aside (see `quarantine`), in order as `label_ids`."""
        return self._ids([ASIDE], fidelity, ids)

    def unseen_ids(self, fidelity: Fidelity) -> tuple[str, ...]:
        """Return the ids of frames whose label nothing has judged yet, in order of insertion."""
        unseen = "SELECT l.frame_id FROM labels l WHERE l.key = ? AND l.quarantine IS NULL"
        return self._ids([unseen], fidelity, None)

    def failed_ids(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the ids of frames without a label to use that are not tried again, in order as `label_ids`.

        They failed, or their label is set aside.
        """
        failed = f"""SELECT a.frame_id FROM attempts a WHERE a.key = ? AND a.status IN {FAILED}
            AND a.retry = 0
            AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.key = a.key AND l.frame_id = a.frame_id)"""
        return self._ids([failed, ASIDE], fidelity, ids)

    def _ids(self, queries: Sequence[str], fidelity: Fidelity, ids: Sequence[str] | None) -> tuple[str, ...]:
        """Return the frame ids that any of some queries finds, all or those among `ids`."""
        if ids is None:
            sql = f"SELECT frame_id FROM frames WHERE frame_id IN ({' UNION '.join(queries)}) ORDER BY seq"
            return tuple(row[0] for row in self.query(sql, [fidelity.key] * len(queries)))
        found = set().union(*(self._found(sql, [fidelity.key], ids) for sql in queries))
        return tuple(frame_id for frame_id in ids if frame_id in found)

    def _found(self, sql: str, parameters: Sequence[str], ids: Sequence[str]) -> Iterator[str]:
        """Yield the frame ids that a query finds, those among `ids` and, where these are many, others too."""
        many = len(ids) > MANY
        rows = self.query(sql, parameters) if many else self._among(f"{sql} AND frame_id IN", parameters, ids)
        return (row[0] for row in rows)

    def failures(self, fidelity: Fidelity, ids: Sequence[str] | None = None) -> Mapping[str, str]:
        """Return why each frame has no label to use, all or those among `ids`: its last error text."""
        sql = f"""SELECT a.frame_id, a.error FROM attempts a WHERE a.key = ? AND a.status IN {FAILED}
            AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.key = a.key AND l.frame_id = a.frame_id)
            ORDER BY a.id"""
        aside = """SELECT frame_id, 'set aside: ' || quarantine FROM labels
            WHERE key = ? AND quarantine != ''"""
        why = dict([*self.query(sql, [fidelity.key]), *self.query(aside, [fidelity.key])])
        return why if ids is None else {frame_id: why[frame_id] for frame_id in ids if frame_id in why}

    def judge(self, fidelity: Fidelity, verdicts: Mapping[str, str | None]) -> None:
        """Write down, by frame id, why labels are set aside; None where they are sound."""
        rows = [(why or "", fidelity.key, frame_id) for frame_id, why in verdicts.items()]
        with self.transaction() as connection:
            connection.executemany("UPDATE labels SET quarantine = ? WHERE key = ? AND frame_id = ?", rows)

    def statistics(self, fidelity: Fidelity) -> Statistics:
        """Return how many attempts at a fidelity ended how, and their core-seconds."""
        sql = "SELECT status, attempts, seconds FROM tallies WHERE key = ?"
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

    def measured(self, fidelity: Fidelity, most: int | None = None) -> tuple[tuple[str, ...], FloatArray]:
        """Return the ids of labelled frames and their core-seconds (n,).

        All in order of insertion, or at most `most`: the first by id, which is a random sample of the frames,
        since ids are hashes, and always the same one.
        """
        chosen = "ORDER BY seq" if most is None else f"ORDER BY frame_id LIMIT {most}"
        sql = f"""SELECT frame_id, seconds FROM attempts JOIN frames USING (frame_id)
            WHERE key = ? AND status = 'done' {chosen}"""
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
