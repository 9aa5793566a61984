"""Tables of the label store: making them, and refusing those of another version."""

import sqlite3
from pathlib import Path
from time import time
from typing import Final
from uuid import uuid4

from fidsel.fidelity.source import OUTSIDE
from fidsel.fidelity.store.database import StoreError

VERSION: Final = 2
"""Of the tables; stores of another version are refused."""

APPLICATION: Final = 0x46494453
"""`PRAGMA application_id` that marks a file as a label store ("FIDS")."""

ELSEWHERE: Final = f"SELECT key FROM fidelities WHERE json_extract(settings, '$.kind') = '{OUTSIDE}'"
"""SQL query for the keys of levels whose labels other people compute."""

ROWS: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE frames (
    seq INTEGER PRIMARY KEY,               -- order of insertion
    frame_id TEXT NOT NULL UNIQUE,
    numbers BLOB NOT NULL,                 -- int64 (N,)
    positions BLOB NOT NULL,               -- float64 (N, 3), Å
    cell BLOB NOT NULL,                    -- float64 (3, 3), Å
    pbc BLOB NOT NULL,                     -- bool (3,)
    charge INTEGER NOT NULL,
    spin INTEGER NOT NULL,
    grp TEXT NOT NULL
);

CREATE TABLE fidelities (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,                    -- when first bought
    settings TEXT NOT NULL                 -- JSON
);

CREATE TABLE attempts (                    -- every try at a label
    id INTEGER PRIMARY KEY,
    frame_id TEXT NOT NULL REFERENCES frames (frame_id),
    key TEXT NOT NULL REFERENCES fidelities (key),
    account TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('open', 'done', 'failed', 'timeout', 'crashed', 'lost', 'cancelled', 'released')),
    predicted REAL,                        -- core-seconds
    reserved REAL NOT NULL,                -- base units of the budget
    price REAL NOT NULL,
    per TEXT NOT NULL,
    threads INTEGER NOT NULL,
    time_limit REAL,                       -- s of wall time
    started REAL NOT NULL,                 -- Unix time
    finished REAL,
    seconds REAL,                          -- core-seconds
    host TEXT,
    versions TEXT,                         -- JSON
    cause TEXT,                            -- why there is no label, see fidelity.source.Cause
    retry INTEGER NOT NULL DEFAULT 0,      -- 1: it failed, and its frame may be tried again
    error TEXT
);
CREATE INDEX attempts_of_frame ON attempts (key, frame_id);
CREATE UNIQUE INDEX attempts_open ON attempts (frame_id, key) WHERE status = 'open';
CREATE INDEX attempts_reserved ON attempts (account, reserved) WHERE status = 'open';

CREATE TABLE labels (                      -- results
    key TEXT NOT NULL REFERENCES fidelities (key),
    frame_id TEXT NOT NULL REFERENCES frames (frame_id),
    attempt INTEGER NOT NULL UNIQUE REFERENCES attempts (id),
    energy REAL NOT NULL,                  -- eV
    forces BLOB,                           -- float64 (N, 3), eV/Å
    provenance TEXT NOT NULL,              -- JSON
    quarantine TEXT,                       -- NULL: not looked at yet, '': sound, else why it is set aside
    PRIMARY KEY (key, frame_id)
);

CREATE TABLE ledger (                      -- money, append-only
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN
        ('label', 'failed', 'timeout', 'crashed', 'lost', 'cancelled', 'shared', 'charge')),
    amount REAL NOT NULL CHECK (amount >= 0),
    seconds REAL NOT NULL CHECK (seconds >= 0),
    attempt INTEGER REFERENCES attempts (id),
    note TEXT NOT NULL
);
CREATE UNIQUE INDEX ledger_once ON ledger (attempt) WHERE attempt IS NOT NULL AND kind != 'shared';
CREATE INDEX ledger_sum ON ledger (account, kind, amount, seconds);
CREATE INDEX ledger_attempt ON ledger (attempt, account) WHERE attempt IS NOT NULL;
CREATE TRIGGER ledger_kept BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_unchanged BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE records (name TEXT PRIMARY KEY, value TEXT NOT NULL, time REAL NOT NULL);
"""
"""What is stored, one row each."""

RUNNING: Final = """
CREATE TABLE totals (                      -- the ledger, summed by its trigger
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    lines INTEGER NOT NULL,
    amount REAL NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (account, kind)
) WITHOUT ROWID;
CREATE TRIGGER ledger_summed AFTER INSERT ON ledger BEGIN
    INSERT INTO totals VALUES (new.account, new.kind, 1, new.amount, new.seconds)
    ON CONFLICT (account, kind) DO UPDATE SET
        lines = lines + 1, amount = amount + excluded.amount, seconds = seconds + excluded.seconds;
END;

CREATE TABLE tallies (                     -- attempts, counted by their triggers
    key TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (key, status)
) WITHOUT ROWID;
CREATE TRIGGER attempts_opened AFTER INSERT ON attempts BEGIN
    INSERT INTO tallies VALUES (new.key, new.status, 1, ifnull(new.seconds, 0))
    ON CONFLICT (key, status) DO UPDATE SET
        attempts = attempts + 1, seconds = seconds + excluded.seconds;
END;
CREATE TRIGGER attempts_closed AFTER UPDATE OF status, seconds ON attempts BEGIN
    UPDATE tallies SET attempts = attempts - 1, seconds = seconds - ifnull(old.seconds, 0)
        WHERE key = old.key AND status = old.status;
    INSERT INTO tallies VALUES (new.key, new.status, 1, ifnull(new.seconds, 0))
    ON CONFLICT (key, status) DO UPDATE SET
        attempts = attempts + 1, seconds = seconds + excluded.seconds;
END;
CREATE INDEX labels_aside ON labels (key, frame_id) WHERE quarantine != '';
CREATE INDEX labels_unseen ON labels (key, frame_id) WHERE quarantine IS NULL;
CREATE INDEX attempts_failed ON attempts (key, frame_id) WHERE status IN ('failed', 'timeout', 'crashed');
"""
"""Sums and counts of these rows, which every purchase asks for, kept by triggers."""

SUMS: Final = (
    "SELECT account, kind, count(*), total(amount), total(seconds) FROM ledger GROUP BY account, kind"
)
COUNTS: Final = "SELECT key, status, count(*), total(seconds) FROM attempts GROUP BY key, status"

TABLES: Final = ROWS + RUNNING


def make(connection: sqlite3.Connection) -> None:
    """Make the tables of a store in an empty file, and give it the identity that tells it from all others."""
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {TABLES}"
        f"INSERT INTO meta VALUES ('schema', '{VERSION}'), ('created', '{time()}'), ('store', '{uuid4()}');"
        "COMMIT;"
    )


def require_version(path: Path, connection: sqlite3.Connection) -> None:
    """Raise `StoreError` unless a store is of this version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise StoreError(
            path,
            f"this fidsel reads stores of version {VERSION}, got version {version}; use the fidsel that "
            "wrote it or start a new store",
        )
