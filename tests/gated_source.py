"""A label source that waits for the test, frame by frame; a light module, since every worker imports it."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time, sleep

import numpy as np
from ase import Atoms

from fidsel.fidelity.source import Label, Value


@dataclass(frozen=True)
class Gated:
    """E = the first coordinate. Labels while there is no file `hold-<that>` in its folder; else waits.

    Every call is noted in `calls`; where there is a file `die-<that>` it is removed and the worker dies.
    It burns 0.1 s of CPU time before it waits, and tells so by a file `begun-<that>`.
    """

    folder: Path
    level: str = "gated"
    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "gated", "level": self.level}

    def label(self, atoms: Atoms) -> Label:
        first = f"{atoms.positions[0, 0]:g}"
        with (self.folder / "calls").open("a") as file:
            file.write(f"{self.level}-{first}\n")
        hold, die = self.folder / f"hold-{first}", self.folder / f"die-{first}"
        if hold.exists():
            end = process_time() + 0.1
            while process_time() < end:
                pass
            (self.folder / f"begun-{first}").touch()
        while hold.exists():
            sleep(0.01)
        if die.exists():
            die.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return Label(float(first), np.zeros(atoms.positions.shape))
