"""What trainings in other processes tell of their progress: a file of each, which the driver reads."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from threading import Event
from time import monotonic

from fidsel.models.watch import OnProgress, Progress

EVERY = 1.0
"""Seconds between two messages of a training, unless a stage ends, and between two looks at the files."""


@dataclass
class ProgressFile:
    """Hears of a training in its own process and writes down what it heard last of each unit of each stage.

    A message that cannot be written is lost; the training goes on.

    Parameters
    ----------
    path : seen by the driver, too.
    """

    path: Path
    _last: dict[tuple[str, str], Progress] = field(default_factory=dict, repr=False)
    _told: float = field(default=-inf, repr=False)

    def __call__(self, progress: Progress) -> None:
        """Write the message, unless the last one is young and this one no end."""
        now = monotonic()
        self._last[progress.stage, progress.unit] = progress
        if progress.step < progress.of and now - self._told < EVERY:
            return
        self._told, part = now, self.path.with_suffix(f".{os.getpid()}.part")
        with suppress(OSError):
            part.write_text(json.dumps([asdict(one) for one in self._last.values()]), encoding="utf-8")
            part.replace(self.path)


@contextmanager
def following(files: Mapping[Path, OnProgress]) -> Iterator[Callable[[], None]]:
    """Pass on what is written to files, from a thread of its own, until the context ends.

    Yields what raises, now and then called, whatever a listener has raised; the end raises it, too.

    Parameters
    ----------
    files : who hears what each is told.
    """
    ended, seen = Event(), {path: dict[tuple[str, str], Progress]() for path in files}

    def follow() -> None:
        while not ended.wait(EVERY):
            _pass_on(files, seen)
        _pass_on(files, seen)

    with ThreadPoolExecutor(1, "fidsel-progress") as threads:
        heard = threads.submit(follow)

        def check() -> None:
            if heard.done():
                heard.result()

        try:
            yield check
        finally:
            ended.set()
        heard.result()


def _pass_on(files: Mapping[Path, OnProgress], seen: Mapping[Path, dict[tuple[str, str], Progress]]) -> None:
    for path, listener in files.items():
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # nothing was told yet, or a node died as it told it
            continue
        for one in (Progress(**facts) for facts in told):
            if seen[path].get((one.stage, one.unit)) != one:
                seen[path][one.stage, one.unit] = one
                listener(one)


def remove(path: Path) -> None:
    """Remove a file of progress and what its writers left unfinished."""
    for one in path.parent.glob(f"{path.stem}.*"):
        with suppress(OSError):
            one.unlink()
