"""Making a label store, and refusing one of another version."""

import sqlite3
from pathlib import Path
from time import time
from uuid import uuid4

from fidsel.fidelity.store.database import StoreError
from fidsel.fidelity.store.schema import APPLICATION, TABLES, VERSION


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
