"""Opening an SQLite file so that nothing committed to it is lost, and saying what went wrong."""

import re
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fidsel.exceptions import FidselError

NETWORK: Final = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "ocfs2", "orangefs", "panfs", "pvfs2", "smb3", "smbfs",
}  # fmt: skip
"""File system types whose files other machines see; every `fuse.*` type is taken for one as well."""

TIMEOUT: Final = 10.0
"""s to wait for another process that holds the file."""

MOUNTS: Final = Path("/proc/mounts")

ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again",
    sqlite3.SQLITE_READONLY: "it cannot be written to; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder exists and can be written to",
    sqlite3.SQLITE_PERM: "it cannot be opened; check its permissions",
    sqlite3.SQLITE_NOTADB: "it is not a label store; give the path of a labels.db or of a new file",
    sqlite3.SQLITE_CORRUPT: "it is damaged, and labels may be lost; put back a copy made by `fidsel backup`, "
    "or what `sqlite3 FILE .recover` still reads of it",
    sqlite3.SQLITE_BUSY: "another process holds it; a store is opened by one driver at a time",
    sqlite3.SQLITE_IOERR: "the disk did not read or write it (full, over quota or failing); check the disk, "
    "and copy the store elsewhere while it can be read",
}
"""What to do about SQLite's primary result codes."""

HARMLESS: Final = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
}  # fmt: skip
"""Codes that leave all that was stored as it was."""


class StoreError(FidselError):
    """The label store cannot be used.

    Parameters
    ----------
    reason : what happened and what to do about it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"label store {path}: {reason}")
        self.path = path


@contextmanager
def explained(path: Path) -> Generator[None, None, None]:
    """Turn SQLite's errors into a `StoreError` that says what happened, where, and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in ADVICE:
            raise
        kept = " Nothing stored before is lost." if code in HARMLESS else ""
        raise StoreError(path, f"{ADVICE[code]}.{kept} (SQLite: {error})") from error


def on_network(path: Path, mounts: str) -> bool:
    r"""Return whether a file lies on a network file system.

    Parameters
    ----------
    path : absolute path, symbolic links resolved.
    mounts : text of /proc/mounts.

    Examples
    --------
    >>> table = "/dev/sda1 / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n"
    >>> on_network(Path("/home/ada/labels.db"), table), on_network(Path("/homes/labels.db"), table)
    (True, False)
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        # a later mount hides an earlier one at the same place
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind in NETWORK or kind.startswith("fuse.")


def journal_mode(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the journal that keeps a store safe where it lies.

    A write-ahead log needs memory shared between processes, which a network file system does not
    give; where the file system cannot be known the rollback journal is safe too, only slower.
    """
    if not mounts.is_file() or on_network(path.resolve(), mounts.read_text("utf-8", "surrogateescape")):
        return "delete"
    return "wal"


def connect(path: Path, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode, durable at every commit and checked.

    Raises `StoreError` where the file cannot be opened, is no database, or is damaged.
    """
    with explained(path):
        mode = "ro" if read_only else "rwc"
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=TIMEOUT
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                connection.execute(f"PRAGMA journal_mode = {journal_mode(path)}")
                connection.execute("PRAGMA synchronous = FULL")
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error:
            connection.close()
            raise
    if problem != "ok":
        connection.close()
        raise StoreError(path, f"{ADVICE[sqlite3.SQLITE_CORRUPT]} (SQLite: {problem})")
    return connection
