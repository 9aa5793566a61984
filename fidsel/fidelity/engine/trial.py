"""A label source that does what it is told, harm included, to try engines with; it imports little."""

import ctypes
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time, sleep
from typing import Any

import numpy as np
from ase import Atoms

from fidsel.fidelity.source import Label, Value


@dataclass(frozen=True)
class Trial:
    """Does `atoms.info["act"]` with `atoms.info["argument"]`, then labels with the first coordinate.

    ======= =============================================================
    act     meaning
    ======= =============================================================
    label   nothing more
    sleep   wait so many s
    wait    wait for the file of that name
    burn    compute for so many s of CPU time
    hang    sleep so many s in a C call that lets no other thread run
    hold    hold so many bytes, and wait
    raise   raise an error of that text
    crash   die of SIGSEGV
    ======= =============================================================
    """

    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        """Return its kind."""
        return {"kind": "trial"}

    def label(self, atoms: Atoms) -> Label:
        """Do as told, then return the first coordinate as energy, and as forces zeros."""
        getattr(self, f"_{atoms.info['act']}")(atoms.info["argument"])
        return Label(
            float(atoms.positions[0, 0]), np.zeros(atoms.positions.shape), provenance={"pid": os.getpid()}
        )

    def _label(self, _: Any) -> None:  # Any: each act has an argument of its own type
        return

    def _sleep(self, seconds: float) -> None:
        sleep(seconds)

    def _wait(self, file: str) -> None:
        while not Path(file).exists():
            sleep(0.02)

    def _burn(self, seconds: float) -> None:
        end = process_time() + seconds
        while process_time() < end:
            pass

    def _hang(self, seconds: float) -> None:
        ctypes.PyDLL(None).sleep(int(seconds))

    def _hold(self, size: int) -> None:
        held = np.ones(size, np.int8)
        sleep(1000)
        del held

    def _raise(self, text: str) -> None:
        raise RuntimeError(text)

    def _crash(self, _: Any) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


def trial_atoms(first: float, act: str = "label", argument: object = None) -> Atoms:
    """Return a frame that a `Trial` labels with the energy `first`, having done as told."""
    return Atoms("H2", [[first, 0, 0], [0, 0, 0.74]], info={"act": act, "argument": argument})
