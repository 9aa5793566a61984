"""Writing files so that an interrupted or failed write leaves the earlier file intact."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from fidsel.exceptions import FidselError, UsageError

ADVICE = {
    errno.ENOENT: "make its folder first, or choose another",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.ENOSPC: "free space, or choose another folder",
    errno.EDQUOT: "free space, or choose another folder",
}
"""What to do where the system refuses to write."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a path in the same folder to write to; it takes the place of `path` when the block ends.

    Where the block raises, or the disk is full, `path` keeps its earlier content and the unfinished
    file is removed. The yielded name has the suffix of `path` and a leading dot.

    Raises `FidselError` where the system refuses (disk full, read-only folder, no such folder); it names
    path and reason.
    """
    target = Path(path).resolve()
    unfinished = target.with_name(f".{target.stem}.{uuid4().hex[:8]}{target.suffix}")
    try:
        yield unfinished
        flush(unfinished)
        unfinished.replace(target)
        flush(target.parent)
    except OSError as error:
        raise refused(Path(path), error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def replacing_folder(path: Path | str) -> Iterator[Path]:
    """Yield an empty folder to fill; it takes the place of folder `path` when the block ends.

    An earlier folder is set aside first and put back where the exchange fails: at every moment one
    whole folder exists, for an instant under a name that starts with a dot.

    Raises `FidselError` as `replacing`.
    """
    target, token = Path(path).resolve(), uuid4().hex[:8]
    unfinished = target.with_name(f".{target.name}.{token}")
    earlier = target.with_name(f".{target.name}.{token}.earlier")
    try:
        unfinished.mkdir()
        yield unfinished
        for file in unfinished.rglob("*"):
            flush(file)
        if target.exists():
            target.rename(earlier)
        unfinished.rename(target)
        flush(target.parent)
    except OSError as error:
        raise refused(Path(path), error) from error
    finally:
        if earlier.exists() and not target.exists():
            earlier.rename(target)
        for leftover in (unfinished, earlier):
            shutil.rmtree(leftover, ignore_errors=True)


def make_folder(path: Path | str) -> None:
    """Make a folder, and those above it, where there is none.

    Raises `FidselError` where the system refuses; it names path and reason.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(Path(path), error) from error


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write bytes to a file, all or nothing; raise `FidselError` as `replacing`."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8 with bare line feeds, all or nothing; raise `FidselError` as `replacing`."""
    write_bytes(path, text.encode())


def flush(path: Path) -> None:
    """Wait until the disk has the file: a full disk may only show here."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(path: Path, error: OSError) -> FidselError:
    """Return what to raise where the system refused to write a file."""
    advice = ADVICE.get(error.errno or 0, "choose another folder")
    kept = ". What was there before is unchanged" if path.exists() else ""
    return FidselError(f"could not write {path}: {error.strerror or error}{kept}; {advice}")


def require_writable(*paths: Path | None, read: Iterable[Path] = ()) -> None:
    """Raise where a file cannot be written, before anything is computed for it; None = no file.

    Raises `UsageError` where a path is no file in a folder that exists, or one that is read; `FidselError`
    where the system lets nobody write there.

    Parameters
    ----------
    read : files that are read for it.
    """
    inputs = {path.resolve() for path in read}
    for path in paths:
        if path is None:
            continue
        if path.is_dir() or not path.resolve().parent.is_dir():
            raise UsageError(f"{path} must be a file in a folder that exists: make it, or name another")
        if path.resolve() in inputs:
            raise UsageError(f"{path} is read, and would be replaced by what is written: name another file")
        _try_out(path.resolve().parent, path)


def require_ending(path: Path | str | None, what: str, *endings: str) -> None:
    """Raise a `UsageError` for a path whose ending says that it is something else; None = no file.

    Examples
    --------
    >>> require_ending(Path("report.pdf"), "a report", ".html", ".htm")
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: a report is written as .html or .htm, got report.pdf
    """
    if path is not None and Path(path).suffix.lower() not in endings:
        raise UsageError(f"{what} is written as {' or '.join(endings)}, got {path}")


@contextmanager
def folder_for(path: Path | str) -> Iterator[Path]:
    """Yield a folder for what is going to be computed, made where there is none.

    Where the block raises, a folder that was made for it and is empty goes again. Raises `FidselError` where
    the system refuses the folder, or lets nobody write there; it names path and reason.
    """
    target = Path(path)
    there = target.exists()
    make_folder(target)
    _try_out(target, target)
    try:
        yield target
    except BaseException:
        if not there and not any(target.iterdir()):
            target.rmdir()
        raise


def _try_out(folder: Path, path: Path) -> None:
    """Raise the `FidselError` of a path unless a file can be made in a folder."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise refused(path, error) from error
