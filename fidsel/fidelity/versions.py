"""Making a label store, and bringing one of an earlier version to this one; its labels stay."""

import sqlite3
from pathlib import Path
from time import time
from uuid import uuid4

from fidsel.fidelity.database import StoreError
from fidsel.fidelity.schema import APPLICATION, TABLES, UPGRADES, VERSION

NAMED = "INSERT OR IGNORE INTO meta VALUES ('store', '{}');"
"""Gives a store the identity that tells it from all others."""


def make(connection: sqlite3.Connection) -> None:
    """Make the tables of a store in an empty file."""
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {TABLES}"
        f"INSERT INTO meta VALUES ('schema', '{VERSION}'), ('created', '{time()}');"
        f"{NAMED.format(uuid4())} COMMIT;"
    )


def upgrade(path: Path, connection: sqlite3.Connection, read_only: bool) -> None:
    """Bring a store to this version, step by step; each step is done whole or not at all.

    Raises
    ------
    StoreError
        where it is of a later version, or of an earlier one and may not be written.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in UPGRADES and version != VERSION:
        raise StoreError(
            path,
            f"this fidsel reads stores of version {VERSION} and older, got version {version}; use the fidsel "
            "that wrote it or start a new store",
        )
    if version < VERSION and read_only:
        raise StoreError(
            path,
            f"it is of version {version}, which a command that writes to it brings to version {VERSION}: run "
            "`fidsel sample` in its folder once",
        )
    for step in range(version, VERSION):
        connection.executescript(
            f"BEGIN IMMEDIATE; {UPGRADES[step]} {NAMED.format(uuid4())}"
            f"UPDATE meta SET value = '{step + 1}' WHERE name = 'schema';"
            f"PRAGMA user_version = {step + 1}; COMMIT;"
        )
