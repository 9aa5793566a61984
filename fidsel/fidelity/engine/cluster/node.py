"""What a pilot runs on a node: the labels of a parcel, each in a process of its own, as on one machine."""

import json
import os
import pickle
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import Any, Final, Self, cast
from uuid import uuid4

from ase import Atoms

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.pins import PINS, pin
from fidsel.fidelity.engine.spool import Slot
from fidsel.fidelity.engine.task import Task, Usage
from fidsel.fidelity.engine.worker import packed
from fidsel.fidelity.source import LabelSource

BLOCK_END: Final = "FIDSEL_BLOCK_END"
"""Environment variable of a block: Unix time at which it will be ended."""
MARGIN: Final = 1.5
"""A label is begun only where its block lasts so many times what it is predicted to take."""
PERIOD: Final = 2.0
"""s between two looks at whether a parcel is still wanted."""
NOTES: Final = 10.0
"""s between two notes on what labels have used."""
REST: Final = 5.0
"""s that a worker pauses which has too little time left for a label, so that another one gets it."""
STOP: Final = ".stop"


class _Sealed:
    """Something pickled that goes on as it is: only the process that labels unpacks it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:  # Any: a function of the standard library
        return pickle.loads, (self.data,)


@dataclass(frozen=True)
class Parcel:
    """Labels that one worker of a pilot does, one after the other, as plain data.

    Parameters
    ----------
    name : tells it from all others.
    threads : cores of the worker.
    sources : label sources, pickled.
    labels : of each label the row of its source, its frame, pickled, and what else `Task` says of it.
    paths, pins : where the driver looks for modules, see `fidsel.fidelity.engine.pins`.
    folder : seen by driver and nodes: notes on what runs, and word of what need not go on.
    """

    name: str
    threads: int
    sources: tuple[bytes, ...]
    labels: tuple[tuple[int, bytes, Mapping[str, Any]], ...]
    paths: tuple[str, ...]
    pins: Mapping[str, str]
    folder: Path

    @classmethod
    def of(cls, tasks: Sequence[Task], threads: int, folder: Path) -> Self:
        """Return tasks as a parcel; raise `UsageError` where one cannot be sent to another machine."""
        for made in {type(task.source) for task in tasks}:
            if made.__module__ == "__main__":
                raise UsageError(
                    f"a source must be in a module that nodes can import, {made.__name__} is in the program "
                    "that was started: put it into a file of its own"
                )
        sources, items = packed(tasks)
        told = [one.name for one in fields(Task) if one.name not in {"source", "atoms"}]
        labels = tuple(
            (row, frame, {name: getattr(task, name) for name in told})
            for task, (row, frame, _) in zip(tasks, items, strict=True)
        )
        return cls(uuid4().hex, threads, tuple(sources), labels, tuple(sys.path), dict(PINS), folder)

    def tasks(self) -> list[Task]:
        """Return the tasks, with sources and frames that only a worker process unpacks."""
        sources = [cast(LabelSource, _Sealed(data)) for data in self.sources]
        return [
            Task(atoms=cast(Atoms, _Sealed(frame)), source=sources[row], **told)
            for row, frame, told in self.labels
        ]

    @property
    def note(self) -> Path:
        """File that tells what its labels use."""
        return self.folder / f"{self.name}.json"

    @property
    def stop(self) -> Path:
        """File that is there when nobody wants its labels any more."""
        return self.folder / f"{self.name}{STOP}"


def label(parcel: Parcel) -> list[str | None]:
    """Return what came of each label, as `Slot.packed` writes it; None for those that were not begun.

    Each is on disk, in its slot, before this returns. Labels are not begun where their block would end before
    them, or nobody wants them any more.
    """
    engine = _Home.engine(parcel)
    told: dict[str, str] = {}
    tasks = parcel.tasks()
    with _Watch(parcel, engine) as watch:
        for task, outcome, usage in engine.run(_begun(tasks, watch)):
            slot = task.slot or Slot(Path(), 0, task.frame_id, "")
            told[task.key] = slot.packed(outcome, usage)
            if task.slot is not None:
                _keep(task.slot, told[task.key])
    if watch.stopped:
        engine.close()
    elif not told:
        sleep(REST)
    return [told.get(task.key) for task in tasks]


def _begun(tasks: list[Task], watch: "_Watch") -> Iterator[Task]:
    for task in tasks:
        if (_Home.fresh or fits(task)) and not watch.stopped:
            _Home.fresh = False
            yield replace(task, slot=None if task.slot is None else replace(task.slot, after=float("inf")))


def fits(task: Task) -> bool:
    """Return whether a label is likely to end before its block does."""
    if BLOCK_END not in os.environ or task.predicted is None:
        return True
    return MARGIN * task.predicted / task.threads <= float(os.environ[BLOCK_END]) - time()


def _keep(slot: Slot, text: str) -> None:
    try:
        slot.write(text)
    except FidselError as error:  # its driver may be gone; if it is not, it hears of the label all the same
        print(error, file=sys.stderr, flush=True)


class _Home:
    """The one engine of this process, kept from parcel to parcel.

    While it is `fresh` a label is begun however long it takes: no later worker has more time.
    """

    kept: LocalEngine | None = None
    fresh = True

    @classmethod
    def engine(cls, parcel: Parcel) -> LocalEngine:
        sys.path.extend(path for path in parcel.paths if path not in sys.path)
        pin(parcel.pins)
        if cls.kept is None:
            cls.kept = LocalEngine(1, parcel.threads)
            parent = parent_process()
            if parent is not None:
                Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
        return cls.kept


def _end_with(sentinel: int) -> None:
    """End this process with the one that started it; labels under way end with this one."""
    wait([sentinel])
    os._exit(1)


class _Watch:
    """While entered, notes now and then what labels use, and ends the run where nobody wants it."""

    def __init__(self, parcel: Parcel, engine: LocalEngine) -> None:
        self.parcel, self.engine, self.stopped = parcel, engine, parcel.stop.exists()
        self._done = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.parcel.note.unlink(missing_ok=True)
        self.parcel.stop.unlink(missing_ok=True)

    def _run(self) -> None:
        noted = float("-inf")
        while not self._done.wait(PERIOD):
            if self.parcel.stop.exists():
                self.stopped = True
                self.engine.leave()
            if monotonic() - noted >= NOTES:
                noted = monotonic()
                write_note(self.parcel.note, self.engine.running())


def write_note(path: Path, usage: Mapping[str, Usage]) -> None:
    """Note what labels have used, by their keys, and where they run."""
    labels = {key: (used.cpu, used.wall) for key, used in usage.items()}
    unfinished = path.with_suffix(".part")
    try:
        unfinished.write_text(json.dumps({"host": platform.node(), "labels": labels}))
        unfinished.replace(path)
    except OSError as error:  # the labels themselves matter more
        print(error, file=sys.stderr, flush=True)


def read_note(path: Path) -> dict[str, Usage]:
    """Return what labels had used when it was last noted; none where nothing was."""
    try:
        found = json.loads(path.read_text())
        host = str(found["host"])
        return {
            key: Usage(float(cpu), float(wall), host=host) for key, (cpu, wall) in found["labels"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
