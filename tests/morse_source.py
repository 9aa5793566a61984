"""Morse bonds as a label source that may misbehave; a light module, since every worker imports it."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from morse_molecule import morse

from fidsel.fidelity.source import Label, LabelError, Value

LEVELS = {"low": (3.3, 1.7), "cheap": (3.6, 1.6), "accurate": (4.0, 1.5)}
"""Depth in eV and width in 1/Å of the bonds at each level."""


@dataclass(frozen=True)
class Morse:
    """Computes the labels of the tables; some frames it cannot label.

    Parameters
    ----------
    level : "low", "cheap" or "accurate".
    act : what happens to every `one_in`-th frame, told apart by its first coordinate: "raise", "crash"
        or "hang".
    seconds : core-seconds it declares that a label takes, or really takes where it takes `slow` for every
        `one_in`-th.
    pause : s it waits; negative = it really computes that long.
    """

    level: str = "accurate"
    act: str = "label"
    one_in: int = 4
    seconds: float = 0.5
    slow: float = 0.5
    pause: float = 0.0
    forces: bool = True

    @property
    def seconds_per_label(self) -> float:
        return self.seconds if self.slow == self.seconds and self.pause >= 0 else 0.0

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "morse", "level": self.level}

    def label(self, atoms: Atoms) -> Label:
        if not np.isfinite(atoms.positions).all():
            raise LabelError("positions must be finite")
        chosen = int(abs(atoms.positions[0, 0]) * 1e6) % self.one_in == 0
        if chosen and self.act == "raise":
            raise LabelError("did not converge", self.seconds)
        if chosen and self.act == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if chosen and self.act == "hang":
            time.sleep(1000)
        seconds = self.slow if chosen else self.seconds
        time.sleep(max(self.pause, 0.0))
        end = time.process_time() + (seconds if self.pause < 0 else 0.0)
        while time.process_time() < end:
            pass
        energy, forces = morse(atoms.positions[None], *LEVELS[self.level])
        return Label(float(energy[0]) - 3000.0, forces[0] if self.forces else None, seconds)
