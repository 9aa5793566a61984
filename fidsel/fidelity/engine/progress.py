"""What a worker is doing, in a page of memory that the driver reads at any time."""

import mmap
import struct
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final, Self

from fidsel.fidelity.engine.task import Usage

STARTING, WAITING, SETTING_UP, LABELLING = range(4)

MOST: Final = 256
"""Labels of a group that there is room for."""

_HEAD: Final = struct.Struct("=qqqddq")
_ROW: Final = struct.Struct("=ddd")
_SIZE: Final = _HEAD.size + MOST * _ROW.size


@dataclass(frozen=True)
class State:
    """Where a worker is.

    Parameters
    ----------
    group : number of the group of labels it was last given; 0 before the first.
    done : labels of that group that have ended.
    phase : STARTING, WAITING, SETTING_UP (imports and warm-up for the label after those done) or LABELLING.
    since : s on the monotonic clock, when the phase began.
    cpu : s, CPU time that the worker and its descendants had used by then.
    printed : bytes in the worker's log when it began to set up the label.
    """

    group: int = 0
    done: int = 0
    phase: int = STARTING
    since: float = 0.0
    cpu: float = 0.0
    printed: int = 0


class Progress:
    """A file that a worker and the driver map into memory: the worker writes, the driver reads.

    A message through the worker's pipe is read when the driver comes to it; this is read at any time, by
    any thread, also while the worker is in a C call that holds the interpreter lock.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SIZE)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Return a page of a worker that starts."""
        path.write_bytes(bytes(_SIZE))
        return cls(path)

    def write(self, state: State) -> None:
        """Say where the worker is."""
        _HEAD.pack_into(self._memory, 0, *astuple(state))

    def read(self) -> State:
        """Return where the worker is; read until two readings agree, since it may be writing."""
        while True:
            first = self._memory[: _HEAD.size]
            if first == self._memory[: _HEAD.size]:
                return State(*_HEAD.unpack(first))

    def write_usage(self, index: int, usage: Usage) -> None:
        """Say what the label of that number in its group used, before it counts as done."""
        _ROW.pack_into(self._memory, self._at(index), usage.cpu, usage.wall, usage.setup)

    def read_usage(self, index: int) -> Usage:
        """Return what a label that is done used."""
        return Usage(*_ROW.unpack_from(self._memory, self._at(index)))

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()

    @staticmethod
    def _at(index: int) -> int:
        return _HEAD.size + index * _ROW.size
