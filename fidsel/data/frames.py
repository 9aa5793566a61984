"""`Frames`: configurations and their labels, packed, immutable, a sequence of ASE Atoms."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Any, NamedTuple, Self, overload

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from fidsel.arrays import BoolArray, FloatArray, IntArray, StrArray, numbers_of, read_only
from fidsel.data.formats.electrons import electrons_of_atoms
from fidsel.data.formats.elements import formula, listed_atoms
from fidsel.data.splitting import BLOCKS, By, split
from fidsel.exceptions import UsageError

PER_ATOM = ("numbers", "positions", "forces")
FEW = 3
"""Formulas and levels that are named where frames are shown."""
PER_FRAME = ("energy", "cell", "pbc", "charge", "spin", "level", "group")


class DenseFrames(NamedTuple):
    """Views of frames that all have the same atoms in the same order."""

    numbers: IntArray
    """(N,) atomic numbers."""
    positions: FloatArray
    """(n, N, 3) Å."""
    energy: FloatArray
    """(n,) eV, NaN where not labelled."""
    forces: FloatArray
    """(n, N, 3) eV/Å, NaN where not labelled."""

    def __repr__(self) -> str:
        return f"DenseFrames({len(self.energy)} frames of {len(self.numbers)} atoms)"


@dataclass(frozen=True, eq=False, repr=False)
class Frames(Sequence[Atoms]):
    """Configurations and their labels at one or several levels of theory.

    ========== ================ ======= =====================================================
    field      shape            unit    meaning
    ========== ================ ======= =====================================================
    numbers    (n_atoms,)               atomic numbers of all frames, one after the other
    positions  (n_atoms, 3)     Å
    offsets    (n_frames + 1,)          frame i holds atoms offsets[i]:offsets[i + 1]
    energy     (n_frames,)      eV      NaN = not labelled
    forces     (n_atoms, 3)     eV/Å    F = −∇E, NaN = not labelled
    cell       (n_frames, 3, 3) Å       rows are lattice vectors, zero for molecules
    pbc        (n_frames, 3)            periodic directions
    charge     (n_frames,)      e       total charge
    spin       (n_frames,)              number of unpaired electrons (2S)
    level      (n_frames,)              level of theory of the label, "" = none
    group      (n_frames,)              trajectory or source, for leak-safe splits
    ========== ================ ======= =====================================================

    Arrays are read-only; every operation returns new frames. A row is one configuration at one
    level, so the same configuration labelled twice is two rows with the same `ids` entry.

    Examples
    --------
    >>> water = Frames.stack([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]], energy=[-76.0])
    >>> water
    Frames(1 frame, 3 atoms, H2O, 1 energy, 0 forces)
    >>> water[0].get_chemical_formula(), len(water + water), (water + water).unique().energy.tolist()
    ('H2O', 2, [-76.0])
    """

    numbers: IntArray
    positions: FloatArray
    offsets: IntArray
    energy: FloatArray
    forces: FloatArray
    cell: FloatArray
    pbc: BoolArray
    charge: IntArray
    spin: IntArray
    level: StrArray
    group: StrArray

    def __post_init__(self) -> None:
        n, atoms = len(self.offsets) - 1, len(self.numbers)
        shapes: dict[str, tuple[int, ...]] = {
            "numbers": (atoms,), "positions": (atoms, 3), "forces": (atoms, 3), "offsets": (n + 1,),
            "energy": (n,), "cell": (n, 3, 3), "pbc": (n, 3), "charge": (n,), "spin": (n,),
            "level": (n,), "group": (n,),
        }  # fmt: skip
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise UsageError(
                    f"{name} must have shape {shape} for {n} frames of {atoms} atoms, got {array.shape}"
                )
        read_only(self, *shapes)
        if n < 0 or self.offsets[0] != 0 or self.offsets[-1] != atoms or (self.sizes < 1).any():
            raise UsageError("offsets must rise strictly from 0 to the number of atoms")

    def __setstate__(self, state: Mapping[str, Any]) -> None:  # Any: any field
        """Take what a copy is made of; its arrays are as read-only as those of the frames themselves."""
        vars(self).update(state)
        read_only(self, *(name for name, values in state.items() if isinstance(values, np.ndarray)))

    @classmethod
    def pack(
        cls, numbers: ArrayLike, positions: ArrayLike, offsets: ArrayLike, **given: ArrayLike | None
    ) -> Self:
        """Return frames from packed arrays; fields not given (or None) take their empty value.

        Raises `UsageError` where a shape does not fit or a field is unknown.

        Parameters
        ----------
        numbers : (n_atoms,) atomic numbers.
        positions : (n_atoms, 3) Å.
        offsets : (n_frames + 1,) first atom of each frame.
        given : any other field of `Frames`; a scalar is repeated for every frame.
        """
        numbers_, offsets_ = (
            numbers_of(name, values, np.int64)
            for name, values in (("numbers", numbers), ("offsets", offsets))
        )
        n, atoms = len(offsets_) - 1, len(numbers_)
        empty: dict[str, tuple[Any, tuple[int, ...], Any]] = {
            "energy": (np.nan, (n,), np.float64), "forces": (np.nan, (atoms, 3), np.float64),
            "cell": (0.0, (n, 3, 3), np.float64), "pbc": (False, (n, 3), np.bool_),
            "charge": (0, (n,), np.int64), "spin": (0, (n,), np.int64),
            "level": ("", (n,), np.str_), "group": ("", (n,), np.str_),
        }  # fmt: skip
        if extra := set(given) - set(empty):
            raise UsageError(f"Frames has no field {sorted(extra)[0]!r}; it has {', '.join(empty)}")
        arrays = {}
        for name, (default, shape, dtype) in empty.items():
            value = given.get(name)
            array = numbers_of(name, default if value is None else value, dtype)
            arrays[name] = np.broadcast_to(array, shape).copy() if array.ndim == 0 else array
        return cls(numbers_, numbers_of("positions", positions, np.float64), offsets_, **arrays)

    @classmethod
    def stack(cls, numbers: ArrayLike, positions: ArrayLike, **given: ArrayLike | None) -> Self:
        """Return frames that share their atoms.

        Parameters
        ----------
        numbers : (N,) atomic numbers.
        positions : (n, N, 3) Å.
        given : other fields of `Frames`; `forces` as (n, N, 3) eV/Å.
        """
        xyz, z = numbers_of("positions", positions, np.float64), numbers_of("numbers", numbers, np.int64)
        if xyz.ndim != 3 or xyz.shape[1:] != (len(z), 3):
            raise UsageError(f"positions must have shape (n, {len(z)}, 3), got {xyz.shape}")
        n, size = xyz.shape[:2]
        forces = given.pop("forces", None)
        if forces is not None:
            if np.shape(forces) != xyz.shape:
                raise UsageError(
                    f"forces must have the shape of positions {xyz.shape}, got {np.shape(forces)}"
                )
            forces = numbers_of("forces", forces, np.float64).reshape(-1, 3)
        return cls.pack(np.tile(z, n), xyz.reshape(-1, 3), np.arange(n + 1) * size, forces=forces, **given)

    @classmethod
    def from_atoms(cls, images: Iterable[Atoms] | Atoms, level: str = "", group: str = "") -> Self:
        """Return frames from ASE Atoms; labels are not read from them (see `fidsel.data.read`).

        Charge and spin are those that `read` finds in a file of these atoms: in `atoms.info` by name, the
        charge else as the sum of the initial charges of the atoms, the spin as that of their initial magnetic
        moments. Raises `UsageError` where they are not whole numbers, two names contradict each other, or
        something else than Atoms is given, or Atoms without any.
        """
        rows = listed_atoms(images)
        sizes = [len(atoms) for atoms in rows]
        states = [electrons_of_atoms(atoms, f"atoms {i}") for i, atoms in enumerate(rows)]
        return cls.pack(
            np.concatenate([a.numbers for a in rows]) if rows else np.empty(0),
            np.concatenate([a.positions for a in rows]) if rows else np.empty((0, 3)),
            np.concatenate([[0], np.cumsum(sizes)]),
            cell=np.array([a.cell.array for a in rows]).reshape(-1, 3, 3),
            pbc=np.array([a.pbc for a in rows], dtype=bool).reshape(-1, 3),
            charge=[state.charge or 0 for state in states],
            spin=[state.spin or 0 for state in states],
            level=level,
            group=group,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Atoms: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | IntArray | BoolArray) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        """Return Atoms for an integer; frames for a slice, a boolean mask or an array of indices."""
        if isinstance(index, (int, np.integer)):
            return self._atoms(range(len(self))[index])
        if not isinstance(index, slice):
            index = np.asarray(index)
            index = index.astype(np.int64) if index.size == 0 else index
        rows = np.arange(len(self))[index]
        sizes = self.sizes[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        atoms = np.repeat(self.offsets[rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return type(self)(
            offsets=offsets,
            **{name: getattr(self, name)[atoms] for name in PER_ATOM},
            **{name: getattr(self, name)[rows] for name in PER_FRAME},
        )

    def _atoms(self, i: int) -> Atoms:
        rows = slice(self.offsets[i], self.offsets[i + 1])
        atoms = Atoms(self.numbers[rows], self.positions[rows], cell=self.cell[i], pbc=self.pbc[i])
        atoms.info |= {"charge": int(self.charge[i]), "spin": int(self.spin[i])}
        return atoms

    def __add__(self, other: "Frames") -> Self:
        offsets = np.concatenate([self.offsets, other.offsets[1:] + self.offsets[-1]])
        both = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in PER_ATOM + PER_FRAME}
        return type(self)(offsets=offsets, **both)

    def __repr__(self) -> str:
        kinds = _several(set(self.formulas), "formulas")
        levels = {str(level) for level in self.level if level}
        labelled = (
            f"{np.isfinite(self.energy).sum()} energ{'y' if np.isfinite(self.energy).sum() == 1 else 'ies'}"
        )
        frames = "1 frame" if len(self) == 1 else f"{len(self)} frames"
        forces = f"{self.has_forces.sum()} forces"
        at = f" at {_several(levels, 'levels')}" if levels else ""
        return f"Frames({frames}, {len(self.numbers)} atoms, {kinds}, {labelled}, {forces}{at})"

    @cached_property
    def sizes(self) -> IntArray:
        """(n_frames,) number of atoms of each frame."""
        sizes: IntArray = np.diff(self.offsets)
        sizes.flags.writeable = False
        return sizes

    def per_frame(self, reduce: np.ufunc, values: ArrayLike) -> NDArray[Any]:
        """Return (n_frames, ...) values per atom, (n_atoms, ...), reduced over the atoms of each frame.

        Raises `UsageError` unless there is one value per atom.

        Parameters
        ----------
        reduce : such as `numpy.maximum` or `numpy.logical_and`.
        """
        each = np.asarray(values)
        if each.shape[:1] != self.numbers.shape:
            raise UsageError(f"values must be one for each of {len(self.numbers)} atoms, got {each.shape}")
        return np.asarray(reduce.reduceat(each, self.offsets[:-1], axis=0))

    def sum_per_frame(self, values: ArrayLike) -> NDArray[Any]:
        """Return (n_frames, ...) sums over the atoms of each frame of values per atom, (n_atoms, ...).

        >>> Frames.stack([8, 1, 1], np.zeros((2, 3, 3))).sum_per_frame(np.arange(6.0)).tolist()
        [3.0, 12.0]
        """
        return self.per_frame(np.add, values)

    def mean_per_frame(self, values: ArrayLike) -> NDArray[Any]:
        """Return (n_frames, ...) means over the atoms of each frame of values per atom, (n_atoms, ...)."""
        sums = self.sum_per_frame(values)
        return np.asarray(sums / self.sizes.reshape(-1, *[1] * (sums.ndim - 1)))

    def rows(self, ids: Iterable[str]) -> IntArray:
        """Return the row of each of some identities, the first of several rows with the same one.

        Raises `UsageError`, naming an identity that no frame has.
        """
        wanted = list(ids)
        if missing := [identity for identity in wanted if identity not in self._first_row]:
            raise UsageError(
                f"ids must be those of these {len(self)} frames, {len(missing)} of {len(wanted)} are not "
                f"(the first is {missing[0]!r}): take them from `ids`"
            )
        return np.array([self._first_row[identity] for identity in wanted], dtype=np.int64)

    @cached_property
    def _first_row(self) -> dict[str, int]:
        return {identity: len(self) - 1 - i for i, identity in enumerate(reversed(self.ids))}

    @cached_property
    def formulas(self) -> tuple[str, ...]:
        """Chemical formula of each frame; X for what is no element."""
        bounds = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        each = [self.numbers[start:stop] for start, stop in bounds]
        keys = [numbers.tobytes() for numbers in each]
        known = {key: formula(numbers) for key, numbers in dict(zip(keys, each, strict=True)).items()}
        return tuple(known[key] for key in keys)

    @cached_property
    def has_forces(self) -> BoolArray:
        """(n_frames,) True where every force component of the frame is labelled."""
        has: BoolArray = self.per_frame(np.logical_and, np.isfinite(self.forces).all(axis=1))
        has.flags.writeable = False
        return has

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Identity of each configuration: hash of atoms, positions to 1e-6 Å, cell, pbc, charge, spin.

        Raises `UsageError` where a position or cell is NaN or infinite: such a frame has no identity.
        """
        finite = self.per_frame(np.logical_and, np.isfinite(self.positions).all(axis=1))
        finite = finite & np.isfinite(self.cell).all(axis=(1, 2))
        if not finite.all():
            raise UsageError(
                f"positions and cells must be finite, {(~finite).sum()} of {len(self)} frames have NaN or "
                f"infinite ones, the first is frame {int(finite.argmin())}: remove them"
            )
        # one joined buffer per field: slicing bytes is several times quicker than slicing arrays
        numbers = self.numbers.tobytes()
        positions = np.rint(self.positions * 1e6).astype(np.int64).tobytes()
        cells, pbc = np.rint(self.cell * 1e6).astype(np.int64).tobytes(), self.pbc.tobytes()
        state = zip(self.charge.tolist(), self.spin.tolist(), strict=True)
        bounds = (8 * self.offsets).tolist()
        return tuple(
            blake2b(
                numbers[start:stop] + positions[3 * start : 3 * stop] + cells[72 * i : 72 * i + 72]
                + pbc[3 * i : 3 * i + 3] + f"{charge},{spin}".encode(),
                digest_size=16,
            ).hexdigest()
            for i, (start, stop, (charge, spin)) in enumerate(zip(bounds, bounds[1:], state, strict=False))
        )  # fmt: skip

    def digest(self) -> str:
        """Return a hash of configurations, labels and groups, in their order."""
        found = sha256("".join([*self.ids, *self.group]).encode())
        for labels in (self.energy, self.forces):
            found.update(np.ascontiguousarray(labels).tobytes())
        return found.hexdigest()

    def filter(self, keep: Callable[[Atoms], bool]) -> Self:
        """Return the frames whose Atoms satisfy `keep`."""
        return self[np.array([keep(atoms) for atoms in self], dtype=bool)]

    def unique(self) -> Self:
        """Return the frames without repeated configurations; the first of each is kept."""
        _, first = np.unique(np.array(self.ids, dtype=np.str_), return_index=True)
        return self[np.sort(first)]

    def replace(self, **changes: ArrayLike | None) -> Self:
        """Return a copy with some fields replaced; None or a scalar as in `pack`."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        return self.pack(**(kept | changes))

    def split(
        self, sizes: Mapping[str, float], *, by: By = "group", seed: int, blocks: int = BLOCKS
    ) -> dict[str, Self]:
        """Return disjoint frames for each named side, without leaks; see `fidsel.data.split_indices`."""
        return split(self, sizes, by=by, seed=seed, blocks=blocks)

    def unlabelled(self) -> Self:
        """Return the same configurations without labels."""
        return self.replace(energy=None, forces=None, level=None)

    def composition(self) -> Mapping[str, int]:
        """Return how many frames have each chemical formula."""
        return {formula: self.formulas.count(formula) for formula in sorted(set(self.formulas))}

    def _reordered(self) -> str:
        """Return which frame has the atoms of the first in another order, "" for none."""
        first = self.numbers[: self.offsets[1]]
        for i, (start, stop) in enumerate(zip(self.offsets[:-1], self.offsets[1:], strict=True)):
            here = self.numbers[start:stop]
            if not np.array_equal(here, first) and np.array_equal(np.sort(here), np.sort(first)):
                return f"frame {i} has the atoms of frame 0 in another order: write all frames in one"
        return ""

    def dense(self) -> DenseFrames:
        """Return dense views; all frames must have the same atoms in the same order.

        Raises `UsageError` where they do not.
        """
        n = len(self)
        if n == 0:
            raise UsageError("dense() needs at least one frame, got none")
        size = self.offsets[1]
        same = len(self.numbers) == n * size and (self.sizes == size).all()
        if not same or (self.numbers.reshape(n, size) != self.numbers[:size]).any():
            kinds = ", ".join(list(self.composition())[:5])
            order = f"; {other}" if (other := self._reordered()) else ""
            raise UsageError(
                f"dense() needs the same atoms in the same order in every frame, got {kinds}{order}"
            )
        shape = (n, int(size), 3)
        return DenseFrames(
            self.numbers[:size], self.positions.reshape(shape), self.energy, self.forces.reshape(shape)
        )


def _several(names: set[str], what: str) -> str:
    """Return a few names, or how many there are."""
    return ", ".join(sorted(names)) if 0 < len(names) <= FEW else f"{len(names)} {what}"
