"""`TableSource`: labels that are on disk already."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar

import numpy as np
from ase import Atoms

from fidsel.data import Frames
from fidsel.data.geometry import sound
from fidsel.data.lookup import TOLERANCE, Lookup
from fidsel.data.read import read
from fidsel.data.units import Units
from fidsel.errors import UsageError
from fidsel.fidelity.source import Label, LabelError, Value


@dataclass(frozen=True)
class TableSource:
    """Looks labels up in a file (see `fidsel.data.read`).

    Parameters
    ----------
    path : the file.
    energy_key, forces_key : names of the labels in the file; both or none where there are forces.
    units : units of the file, where it does not say them.
    forces : whether labels carry forces.
    tolerance : Å, largest difference of a coordinate to the frame looked up: files written with few
        digits hold the same configuration a little displaced.
    seconds_per_label : core-seconds a label is said to take, to practise a campaign on labels owned.

    Raises
    ------
    UsageError
        where the arguments do not fit, and from `label` and `settings` where the file cannot be read.
    """

    path: Path
    energy_key: str | None = None
    forces_key: str | None = None
    units: Units | None = None
    forces: bool = True
    tolerance: float = TOLERANCE
    seconds_per_label: float = 0.0

    in_process: ClassVar[bool] = True
    """A look-up needs no worker process."""

    def __post_init__(self) -> None:
        if self.forces and (self.energy_key is None) != (self.forces_key is None):
            raise UsageError(
                f"a table with forces needs energy_key and forces_key or none, got {self.energy_key!r} and "
                f"{self.forces_key!r}; say forces = false where it has energies only"
            )
        for name in ("tolerance", "seconds_per_label"):
            if not 0 <= getattr(self, name) < np.inf:
                raise UsageError(f"{name} of a table must be a number ≥ 0, got {getattr(self, name)}")

    def settings(self) -> Mapping[str, Value]:
        """Return the hash of the file and what is read from it."""
        return {
            "kind": "table",
            "content": _content(self.path, *_state(self.path)),
            "energy_key": self.energy_key,
            "forces_key": self.forces_key if self.forces else None,
            "units": None if self.units is None else str(self.units),
            "forces": self.forces,
            "tolerance": self.tolerance,
        }

    def frames(self) -> Frames:
        """Return the labelled configurations."""
        return self._table()[0]

    def _table(self) -> tuple[Frames, Lookup]:
        keys = (self.energy_key, self.forces_key if self.forces else None)
        return _table(self.path, *_state(self.path), *keys, self.units, self.tolerance)

    def label(self, atoms: Atoms) -> Label:
        """Return the label of a configuration in the table; `LabelError` where it is not in it."""
        frames, lookup = self._table()
        row = int(lookup.find(Frames.from_atoms([atoms]))[0])
        if row < 0:
            raise LabelError(
                f"{atoms.get_chemical_formula()} is not among the {len(frames)} labelled frames of "
                f"{self.path}, to {self.tolerance:g} Å; take the pool from the same file or widen tolerance"
            )
        forces = frames.forces[frames.offsets[row] : frames.offsets[row + 1]] if self.forces else None
        if forces is not None and not np.isfinite(forces).all():
            raise LabelError(f"row {row} of {self.path} has an energy but no forces; say forces = false")
        return Label(
            float(frames.energy[row]), forces, self.seconds_per_label, {"program": "table", "row": row}
        )


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written again."""
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise UsageError(f"the table {path} cannot be read: {error.strerror}") from error
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=16)
def _content(path: Path, _mtime: int, _size: int) -> str:
    digest, path = blake2b(digest_size=16), Path(path)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=16)
def _table(
    path: Path,
    _mtime: int,
    _size: int,
    energy_key: str | None,
    forces_key: str | None,
    units: Units | None,
    tolerance: float,
) -> tuple[Frames, Lookup]:
    frames = read(path, units=units, energy_key=energy_key, forces_key=forces_key)
    frames = frames[np.isfinite(frames.energy) & sound(frames)[1]]
    return frames, Lookup(frames, tolerance)
