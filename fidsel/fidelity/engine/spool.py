"""Results of labels as files: written where they were computed, before anybody is told of them."""

import json
import platform
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from fidsel.data.atomic import make_folder, write_text
from fidsel.exceptions import FidselError
from fidsel.fidelity.attempt import Attempt
from fidsel.fidelity.engine.boundary import CAUSES, provenance_of
from fidsel.fidelity.engine.task import Usage
from fidsel.fidelity.label_values import forces_of, plain_text
from fidsel.fidelity.source import Cause, Label, LabelError

LONG: Final = 60.0
"""s, wall time from which on the loss of a finished label would hurt."""
FORMAT: Final = 1
ENDING: Final = ".json"
CLOSED: Final = ".closed"
"""Ends the name of a folder whose driver is gone: nobody writes into it any more."""
LARGEST: Final = 1 << 28
"""Bytes; a longer file holds no label."""


@dataclass(frozen=True)
class Slot:
    """Where the result of one attempt at a label is kept until the driver has stored it.

    Parameters
    ----------
    path : the file, in a folder that is there as long as its driver wants results.
    attempt, frame_id, level : id of the attempt, of its configuration, and key of its level; a result is
        taken for no other.
    after : s of wall time; results that took less need no file.
    """

    path: Path
    attempt: int
    frame_id: str
    level: str
    after: float = LONG

    def write(self, text: str) -> None:
        """Keep a result, all or nothing: after a crash there is a whole file or none.

        Raises `FidselError` where it cannot be written, as where its driver is gone and another one has
        closed the folder.
        """
        write_text(self.path, text)

    def packed(self, outcome: Label | LabelError, usage: Usage) -> str:
        """Return a result as a text that `unpacked` reads; numbers keep all their digits."""
        entries: dict[str, Any] = {
            "format": FORMAT, "attempt": self.attempt, "frame": self.frame_id, "level": self.level,
            "usage": asdict(usage), "host": usage.host or platform.node(),
        }  # fmt: skip
        if isinstance(outcome, LabelError):
            entries |= {"cause": outcome.cause, "error": str(outcome)}
        else:
            forces = None if outcome.forces is None else outcome.forces.tolist()
            entries |= {"energy": outcome.energy, "forces": forces}
            entries["provenance"] = provenance_of(outcome.provenance)
        return json.dumps(entries, allow_nan=False)


class Spool:
    """Results of labels on disk, in a folder beside the store, `<store_path>.spool`.

    Each driver has a folder of its own in it. The next one renames that folder before it reads it: a process
    on another machine that has not heard of the end of its driver then finds no folder to write to, and no
    label is stored for a driver that is gone after its attempts were closed.

    Parameters
    ----------
    store_path : the label store.
    """

    def __init__(self, store_path: Path | str) -> None:
        self.path = Path(f"{store_path}.spool").absolute()
        self.folder = self.path / uuid4().hex[:12]

    def slot(self, attempt: Attempt, level: str) -> Slot:
        """Return where the result of an attempt is kept.

        Parameters
        ----------
        level : key of its level.
        """
        if not self.folder.is_dir():
            make_folder(self.folder)
        return Slot(self.folder / f"{attempt.id}{ENDING}", attempt.id, attempt.frame_id, level)

    def remove(self, attempts: Collection[int]) -> None:
        """Remove the results of attempts that are stored."""
        if self.folder.is_dir():
            for number in attempts:
                (self.folder / f"{number}{ENDING}").unlink(missing_ok=True)

    def close(self) -> None:
        """Remove this driver's folder, and the spool, where nothing is left in it."""
        for folder in (self.folder, self.path):
            with suppress(OSError):  # not empty, or never made
                folder.rmdir()

    def left(self) -> Iterator[Path]:
        """Yield the files of earlier drivers; a folder that is empty by then is removed."""
        if not self.path.is_dir():
            return
        for folder in sorted(self.path.iterdir()):
            if folder.is_symlink() or not folder.is_dir() or folder == self.folder:
                continue
            closed = folder
            if folder.suffix != CLOSED:
                closed = folder.rename(folder.with_name(folder.name + CLOSED))
            for path in sorted(closed.iterdir()):
                if path.name.startswith(".") and path.is_file():
                    path.unlink()  # cut off amid the writing
                elif path.suffix == ENDING:
                    yield path
            with suppress(OSError):  # refused files stay
                closed.rmdir()


@dataclass(frozen=True)
class Kept:
    """A result that was kept: which attempt it is of, what came of it, what it used."""

    attempt: int
    frame_id: str
    level: str
    outcome: Label | LabelError
    usage: Usage


def read_kept(path: Path) -> Kept:
    """Return the result in a file.

    Raises `FidselError` where it holds none, for whatever reason; nothing in it is executed.
    """
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
            raise FidselError(f"it is no file of at most {LARGEST >> 20} MiB")
        return unpacked(path.read_bytes())
    except OSError as error:
        raise FidselError(f"it cannot be read ({error.strerror})") from error


def unpacked(text: str | bytes) -> Kept:
    """Return the result that a text from `Slot.packed` holds; raise `FidselError` for any other text."""
    try:
        entries = json.loads(text, parse_constant=_refuse)
        return _kept(entries)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, LabelError) as error:
        what = f"{type(error).__name__}: {plain_text(str(error))[:200]}"
        raise FidselError(f"it holds no whole result of a label ({what})") from error


def _kept(entries: Mapping[str, Any]) -> Kept:
    if entries["format"] != FORMAT:
        raise ValueError(f"format {entries['format']!r}, this version of fidsel reads {FORMAT}")
    attempt, frame_id, level = entries["attempt"], entries["frame"], entries["level"]
    if type(attempt) is not int or not isinstance(frame_id, str) or not isinstance(level, str):
        raise ValueError("attempt, frame or level is of another type")
    host = plain_text(str(entries["host"]))
    return Kept(attempt, frame_id, level, _outcome(entries, host), _usage(entries["usage"], host))


def _outcome(entries: Mapping[str, Any], host: str) -> Label | LabelError:
    if "error" in entries:
        causes: dict[str, Cause] = {known: known for known in (*CAUSES, "cancelled")}
        cause = causes[entries["cause"]]
        return LabelError(plain_text(str(entries["error"])), cause=cause)
    forces, said = entries["forces"], entries["provenance"]
    if forces is not None:
        forces = forces_of(forces)
        if forces.ndim != 2 or forces.shape[1] != 3:
            raise ValueError(f"forces of shape {forces.shape}")
    if not isinstance(said, dict):
        raise ValueError("the provenance is no table")  # noqa: TRY004 (a file, not an argument)
    label = Label(entries["energy"], forces, 0.0, provenance_of(said))
    return replace(label, provenance={"host": host, **label.provenance})


def _usage(entries: Mapping[str, Any], host: str) -> Usage:
    values = [float(entries[name]) for name in ("cpu", "wall", "setup")]
    if not all(isfinite(value) and value >= 0 for value in values):
        raise ValueError(f"times of {values} s")
    cpu, wall, setup = values
    return Usage(cpu, wall, setup, host)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")
