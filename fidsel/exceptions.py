"""Errors a caller may want to catch, and the hint that goes with an unknown name."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

WAITING: Final = 5
"""Exit code where labels are needed to go on that people have to bring."""


class FidselError(Exception):
    """Something fidsel was asked to do could not be done; the message says what to do about it."""

    exit_code = 1


class UsageError(FidselError, ValueError):
    """An argument, a configuration or an input file is not usable as it stands."""

    exit_code = 2


class WaitingError(FidselError):
    """Labels are needed to go on that other people compute; what there is is stored."""

    exit_code = WAITING


class MissingExtraError(FidselError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    package : name of the missing package.
    extra : the fidsel extra that installs it.
    """

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'fidsel[{extra}]'")
        self.package, self.extra = package, extra


def unknown(what: str, name: str, options: Iterable[str]) -> UsageError:
    """Return the error for a name that is not among the options, with the nearest one as a hint.

    >>> str(unknown("picker", "cluster-eror", ["random", "cluster-error"]))
    "unknown picker 'cluster-eror', did you mean 'cluster-error'? Available: cluster-error, random"
    """
    names = sorted(options)
    near = get_close_matches(name, names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else "."
    return UsageError(f"unknown {what} {name!r}{hint} Available: {', '.join(names)}")
