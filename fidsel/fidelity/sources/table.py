"""`TableSource`: labels that are on disk already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple, Self

import numpy as np
from ase import Atoms

from fidsel.arguments import Bound, Internal, NonNegativeFloat, check_arguments
from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data import Frames
from fidsel.data.checks.geometry import sound
from fidsel.data.checks.quick import quick_check, refuse_errors
from fidsel.data.label_file import LabelFile
from fidsel.data.lookup import TOLERANCE, AnyOrder, Lookup
from fidsel.data.reading import AS_NAMED, read
from fidsel.data.state import State
from fidsel.data.units import Units, parse_units
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Label, LabelError, Value

SAME_ENERGY, SAME_FORCE = 1e-6, 1e-5
"""eV and eV/Å, by which a label may differ from what it was, as in a file written with fewer digits."""


@dataclass(frozen=True)
class TableSource:
    """Labels that are on disk already, looked up in a file.

    `fidsel.data.read` says which files there may be. A frame is found by its coordinates, also where its
    atoms stand in another order there; rotated it is another frame. The file may grow: labels that are
    added are found the next time one is asked for.

    Parameters
    ----------
    path : file or folder of configurations and labels, in fidsel.toml relative to it; formats: docs/files.md.
    energy_key : name of the energies in the file; where there are forces, both keys are given or none.
    forces_key : name of the forces in the file.
    units : "energy,length" of the file, e.g. "kcal/mol,Angstrom"; needed where the file does not say.
    forces : whether the table has forces.
    tolerance : Å, by which coordinates may differ from the frame that is looked up: files written with few
        digits hold the same configuration a little displaced.
    seconds_per_label : core-seconds a label is said to take, to practise a campaign on labels owned.
    state : charge and spin of frames for which the file names none.
    name : what tells this table's labels from those of another in one store; by default its path.
    trust_labels : go on with labels that look wrong (`fidsel check` tells which).

    Raises
    ------
    UsageError
        where the arguments do not fit, and from the methods that read the file where it cannot be read or
        its labels are wrong (see `fidsel.data.checks.quick`).
    """

    path: Path
    energy_key: str | None = None
    forces_key: str | None = None
    units: Units | str | None = None
    forces: bool = True
    tolerance: NonNegativeFloat = TOLERANCE
    seconds_per_label: Annotated[float, Bound(ge=0), Internal] = 0.0
    state: Annotated[State, Internal] = AS_NAMED
    name: Annotated[str, Internal] = ""
    trust_labels: bool = False
    _there: Path = field(init=False, repr=False)
    """The path from the root: messages name it as it was given, and the current folder may change."""

    in_process: ClassVar[bool] = True
    """A look-up needs no worker process."""

    def __post_init__(self) -> None:
        if self.forces and (self.energy_key is None) != (self.forces_key is None):
            raise UsageError(
                f"a table with forces needs energy_key and forces_key or none, got {self.energy_key!r} and "
                f"{self.forces_key!r}; say forces = false where it has energies only"
            )
        check_arguments(self, " of a table")
        object.__setattr__(self, "units", parse_units(self.units))
        object.__setattr__(self, "_there", Path(self.path).absolute())

    @classmethod
    def of(cls, file: LabelFile) -> Self:
        """Return the table that a file of labels is; its labels are taken as they are.

        Raises `UsageError` where the labels are frames in memory, of which there is no file.
        """
        if file.frames is not None:
            raise UsageError("recipe 'delta' looks cheap labels up in a file: write the frames into one")
        path, energy, forces = file.parts
        return cls(path, energy, forces, file.units, state=file.state, trust_labels=True)

    def require_ready(self) -> None:
        """Raise `UsageError` where the file has no labels."""
        frames = self.frames()
        if len(frames) == 0:
            raise UsageError(f"no frame of {self.path} has an energy; name them by energy_key and forces_key")
        if self.forces and not frames.has_forces.any():
            raise UsageError(
                f"no frame of {self.path} has forces; name them by forces_key, or say forces = false"
            )

    def settings(self) -> Mapping[str, Value]:
        """Return what is read from which table, not its content, which may grow (see `confirm`)."""
        return {
            "kind": "table",
            "name": self.name or str(self._there.resolve()),
            "energy_key": self.energy_key,
            "forces_key": self.forces_key if self.forces else None,
            "units": None if self.units is None else str(self.units),
            "forces": self.forces,
            "tolerance": self.tolerance,
            "charge": self.state.charge,
            "spin": self.state.spin,
        }

    def content(self) -> str:
        """Return a hash of the file, which changes whenever its content does."""
        return _content(self._there, *self._stat())

    def frames(self) -> Frames:
        """Return the labelled configurations."""
        return self._table().frames

    def covers(self, frames: Frames) -> BoolArray:
        """Return (n_frames,) whether the table has a label for each frame."""
        if len(frames) == 0:
            return np.empty(0, dtype=bool)
        taken = self._taken(frames)
        found = taken.rows >= 0
        if self.forces:
            found &= frames.per_frame(np.logical_and, np.isfinite(taken.forces).all(axis=1))
        return found

    def warm_up(self, atoms: Atoms) -> None:  # noqa: ARG002 - the same for every frame
        """Read the file."""
        self._table()

    def label(self, atoms: Atoms) -> Label:
        """Return the label of a configuration in the table.

        Raises `LabelError` where it is not in the table, or has no forces there.
        """
        frame = Frames.from_atoms([atoms])
        taken = self._taken(frame)
        row = int(taken.rows[0])
        if row < 0:
            raise LabelError(self._missing(frame), cause="refused")
        if self.forces and not np.isfinite(taken.forces).all():
            raise LabelError(
                f"row {row} of {self.path} has an energy but no forces; say forces = false", cause="refused"
            )
        forces = taken.forces if self.forces else None
        provenance: dict[str, Value] = {"program": "table", "row": row}
        return Label(float(taken.energy[0]), forces, self.seconds_per_label, provenance)

    def confirm(self, labelled: Frames) -> None:
        """Raise `UsageError` where labels taken from the table are not what it says now.

        Labels may be added to a table; those of frames that are no longer in it are kept.

        Parameters
        ----------
        labelled : frames with labels that this source gave.
        """
        taken = self._taken(labelled)
        changed = np.abs(taken.energy - labelled.energy) > SAME_ENERGY
        if self.forces and len(labelled):
            apart = np.abs(taken.forces - labelled.forces) > SAME_FORCE
            changed |= labelled.per_frame(np.logical_or, apart.any(axis=1))
        if changed.any():
            i = int(changed.argmax())
            raise UsageError(
                f"{changed.sum()} of {len(labelled)} labels taken from {self.path} are others there now: row "
                f"{taken.rows[i]} had {labelled.energy[i]:.6f} eV when it was taken and has "
                f"{taken.energy[i]:.6f} eV (energies to {SAME_ENERGY:g} eV and forces to {SAME_FORCE:g} eV/Å "
                "must stay). Labels may be added to a table, not changed: put the file back, or start a new "
                "campaign in another folder"
            )

    def _taken(self, frames: Frames) -> "_Taken":
        """Return the labels of frames, in the order of their atoms; NaN where there are none."""
        table, sizes = self._table(), frames.sizes
        rows, order = table.find(frames)
        known = rows >= 0
        energy = np.full(len(frames), np.nan)
        energy[known] = table.frames.energy[rows[known]]
        atoms = np.repeat(known, sizes)
        forces = np.full(frames.positions.shape, np.nan)
        first = np.repeat(table.frames.offsets[rows], sizes)
        forces[atoms] = table.frames.forces[(first + order)[atoms]]
        return _Taken(rows, energy, forces)

    def _missing(self, frame: Frames) -> str:
        """Return why a frame is not in the table, and what to do about it."""
        table, here = self._table(), frame[0]
        start = (
            f"{here.get_chemical_formula()} is not among the {len(table.frames)} labelled frames of "
            f"{self.path}, to {self.tolerance:g} Å"
        )
        (row,), _ = table.in_any_state.find(frame.replace(charge=0, spin=0, pbc=False))
        if row >= 0:
            known = table.frames[int(row)]
            return (
                f"{start}: the same atoms are there as {_state_of(known)}, here they are {_state_of(here)}; "
                "say charge and spin in [pool], or in the files"
            )
        if not table.in_any_order.knows_atoms(frame):
            return (
                f"{start}: it has no frame of these atoms, charge and spin; take the pool from the same file"
            )
        nearest = float(table.lookup.distance(frame)[0])
        if np.isfinite(nearest):
            return (
                f"{start}: the nearest is {nearest:.2g} Å away; take the pool from the same file, or raise "
                "tolerance if that file has few digits"
            )
        return (
            f"{start}: its atoms stand in another order there, and no frame agrees with it in any order: "
            "take the pool from the same file, or write both in one order of atoms and one orientation"
        )

    def _table(self) -> "_Table":
        return _table(self, *self._stat())

    def _stat(self) -> tuple[int, int]:
        """Return what changes when the file is written again."""
        try:
            stat = self._there.stat()
        except OSError as error:
            raise UsageError(f"the table {self.path} cannot be read: {error.strerror}") from error
        return stat.st_mtime_ns, stat.st_size


class _Taken(NamedTuple):
    """Labels of n frames: row in the table (−1 = none), energy eV, forces (n_atoms, 3) eV/Å."""

    rows: IntArray
    energy: FloatArray
    forces: FloatArray


@dataclass(frozen=True, eq=False)
class _Table:
    """The labelled frames of a file and ways to find them."""

    frames: Frames
    tolerance: float

    @cached_property
    def lookup(self) -> Lookup:
        return Lookup(self.frames, self.tolerance)

    @cached_property
    def in_any_order(self) -> AnyOrder:
        return AnyOrder(self.frames, self.tolerance)

    @cached_property
    def in_any_state(self) -> AnyOrder:
        return AnyOrder(self.frames.replace(charge=0, spin=0, pbc=False), self.tolerance)

    def find(self, frames: Frames) -> tuple[IntArray, IntArray]:
        """Return rows and order of atoms as `AnyOrder.find`, those in the same order first."""
        rows = self.lookup.find(frames)
        order = np.arange(len(frames.numbers)) - np.repeat(frames.offsets[:-1], frames.sizes)
        if (rows < 0).any():
            missing = np.flatnonzero(rows < 0)
            atoms = np.repeat(rows < 0, frames.sizes)
            rows[missing], order[atoms] = self.in_any_order.find(frames[missing])
        return rows, order


def _state_of(atoms: Atoms) -> str:
    periodic = "periodic, " if atoms.pbc.any() else ""
    return f"{periodic}charge {atoms.info['charge']}, {atoms.info['spin']} unpaired electrons"


@lru_cache(maxsize=16)
def _content(path: Path, _mtime: int, _size: int) -> str:
    digest = blake2b(digest_size=16)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=16)
def _table(source: TableSource, _mtime: int, _size: int) -> _Table:
    forces_key = source.forces_key if source.forces else None
    every = read(
        source._there,
        units=source.units,
        energy_key=source.energy_key,
        forces_key=forces_key,
        state=source.state,
    )
    rows = np.flatnonzero(np.isfinite(every.energy) & sound(every)[1])
    frames = every[rows]
    found = [finding.within(rows) for finding in quick_check(frames)]
    refuse_errors(
        found, f"the table {source.path}", source.trust_labels, "trust_labels = true in its [[fidelity]]"
    )
    return _Table(frames, source.tolerance)
