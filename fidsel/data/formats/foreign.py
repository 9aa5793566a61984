"""Parsers of other packages on files that may be damaged."""

import sqlite3
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from zipfile import BadZipFile

from fidsel.exceptions import FidselError, UsageError

FAILURES = (
    ArithmeticError, AssertionError, AttributeError, BadZipFile, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, StopIteration, SyntaxError, TypeError, ValueError, Warning, sqlite3.Error,
    struct.error, zlib.error,
)  # fmt: skip
"""What they raise on files that are not what they expect, beside ASE's own error."""


@contextmanager
def parsing(name: str, what: str) -> Iterator[None]:
    """Turn whatever another package's parser raises into a `UsageError` that names the file.

    Parameters
    ----------
    name : what the file is called.
    what : what it should be, e.g. "an ASE database".
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except FidselError:
        raise
    except _failures() as error:
        told = f"{type(error).__name__}: {error}".rstrip(": ")[:300]
        raise UsageError(f"{name} cannot be read as {what}: {told}; copy or write it again") from error


def _failures() -> tuple[type[Exception], ...]:
    from ase.io import ParseError

    return (*FAILURES, ParseError)
