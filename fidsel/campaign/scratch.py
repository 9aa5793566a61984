"""Folders that are filled under a hidden name and then put in place; what killed processes left."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Final
from uuid import uuid4

from fidsel.data.atomic import flush, write_text
from fidsel.fidelity.store.lock import FRESH
from fidsel.fidelity.store.process_identity import ProcessIdentity

PART: Final = ".part"
OWNER: Final = ".owner"
"""A file beside the folder that says which process fills it."""


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; at the end it appears as `target`, which must not exist by then.

    The folder has a name of its own, so two drivers of one campaign (`--break-lock`) do not write into each
    other's; the second to end finds the target there. Where the block raises, nothing is left. Raises a
    `FileExistsError` where the target is there, and an `OSError` or a `FidselError` where the system refuses.
    """
    part = target.parent / f".{target.name}.{uuid4().hex[:12]}{PART}"
    owner = part.with_suffix(OWNER)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_text(owner, ProcessIdentity.this().text())
        part.mkdir()
        yield part
        for path in part.rglob("*"):
            flush(path)
        if target.is_dir():
            raise FileExistsError(f"{target} was made by another process meanwhile")
        part.rename(target)
        flush(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        owner.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that surely run no more left unfinished in a folder.

    What a process on another machine left may be under way still, and stays.
    """
    here = ProcessIdentity.this()
    for owner in folder.glob(f".*{OWNER}"):
        part, (holder, fresh) = owner.with_suffix(PART), _holder(owner)
        gone = holder is not None and holder.gone(here, fresh)
        if gone or not (fresh or part.exists()):
            shutil.rmtree(part, ignore_errors=True)
            owner.unlink(missing_ok=True)


def _holder(owner: Path) -> tuple[ProcessIdentity | None, bool]:
    """Return which process an owner file names, and whether it was written a moment ago."""
    try:
        text, written = owner.read_text(encoding="utf-8", errors="replace"), owner.stat().st_mtime
    except FileNotFoundError:  # its process has just ended
        return None, True
    return ProcessIdentity.parse(text), time() - written < FRESH
