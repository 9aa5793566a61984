"""Samples of running dynamics, appended to one file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidsel.data.atomic import make_folder, refused, replacing
from fidsel.md.langevin import Replicas

PIECE = 1 << 16
"""Atoms of the samples that are read at a time."""


class Samples:
    """States of the replicas of one run in the order of time, on disk.

    ========== =========== ====== ==========================================
    field      shape       unit   meaning
    ========== =========== ====== ==========================================
    step       ()                 time step
    replica    ()                 of the run
    energy     ()          eV     potential energy
    kinetic    ()          eV
    loss       ()          eV     what the integrator has added in error
    positions  (N, 3)      Å
    velocities (N, 3)             Å per ASE time unit
    forces     (N, 3)      eV/Å
    ========== =========== ====== ==========================================

    Parameters
    ----------
    path : of the file, made where it is missing.
    atoms : of the molecule, N.
    most : bytes of the file, at most: of a file that grows beyond, every second time is forgotten, and as
        many of those to come; None = no limit.

    Attributes
    ----------
    stride : every so many of the times asked for are kept.
    """

    def __init__(self, path: Path, atoms: int, most: int | None = None) -> None:
        self.path, self.atoms, self.most, self.stride = path.absolute(), atoms, most, 1
        one, each = np.float64, (np.float64, (atoms, 3))
        self.row = np.dtype(
            [("step", np.int64), ("replica", np.int64), ("energy", one), ("kinetic", one), ("loss", one)]
            + [(name, *each) for name in ("positions", "velocities", "forces")]
        )
        make_folder(path.parent)
        path.touch()

    def __len__(self) -> int:
        return self.path.stat().st_size // self.row.itemsize

    def cut(self, count: int) -> None:
        """Forget all but the first samples: what was written after the last checkpoint."""
        with self.path.open("r+b") as file:
            file.truncate(count * self.row.itemsize)

    def append(self, state: Replicas, masses: NDArray[np.float64]) -> None:
        """Add the state of all replicas; raise `FidselError` where the disk takes no more."""
        rows = np.empty(len(state), self.row)
        rows["step"], rows["replica"], rows["energy"] = state.step, state.rows, state.energy
        rows["kinetic"], rows["loss"] = state.kinetic(masses), state.loss(masses)
        for name in ("positions", "velocities", "forces"):
            rows[name] = getattr(state, name)
        try:
            with self.path.open("ab") as file:
                file.write(rows.tobytes())
        except OSError as error:
            raise refused(self.path, error) from error
        if self.most is not None and self.path.stat().st_size > self.most:
            self._thin()

    def _thin(self) -> None:
        """Keep the first, third, … time."""
        kept = np.unique(self.read()["step"])[::2]
        with replacing(self.path) as unfinished, unfinished.open("wb") as file:
            for rows in self.pieces():
                file.write(rows[np.isin(rows["step"], kept)].tobytes())
        self.stride *= 2

    def read(self) -> NDArray[np.void]:
        """Return all of them, as fields by name; what is not looked at stays on disk."""
        if len(self) == 0:
            return np.empty(0, self.row)
        return np.memmap(self.path, self.row, "r")

    def pieces(self) -> Iterator[NDArray[np.void]]:
        """Yield them, some at a time."""
        rows = self.read()
        size = max(1, PIECE // self.atoms)
        for start in range(0, len(rows), size):
            yield np.array(rows[start : start + size])
