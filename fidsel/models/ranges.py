"""How far frames are outside of what a model has learnt: the range of each distance in training."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import inf
from typing import NamedTuple, Self

import numpy as np
from ase.data import chemical_symbols

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.data.alike import alike

CHUNK = 1 << 20
"""Distances that are computed at a time."""
LEAST = 0.1
"""Å outside of a range that say little, however narrow it is."""
PART = 0.5
"""Part of its width that a distance may be outside of a range before that is worth a warning."""


class ExtrapolationWarning(UserWarning):
    """A frame is far outside of what a model has learnt."""


class Beyond(NamedTuple):
    """The distance of a frame that is farthest outside of its range.

    Parameters
    ----------
    by : Å outside, 0 where all distances are inside.
    far : whether that is worth a warning, for some distance.
    atoms : of the distance.
    distance, low, high : Å, it and its range; an infinite low = the elements were never seen together.
    """

    by: float
    far: bool
    atoms: tuple[int, int]
    distance: float
    low: float
    high: float

    def told(self, numbers: IntArray) -> str:
        """Return what to say of it; numbers (N,) are those of the frame."""
        one, other = (f"{i} ({chemical_symbols[numbers[i]]})" for i in self.atoms)
        known = "never seen together" if self.low == inf else f"{self.low:.2f} to {self.high:.2f} Å"
        return (
            f"atoms {one} and {other} are {self.distance:.2f} Å apart, {known} in the frames that the model "
            "has learnt from: energies and forces are extrapolated there"
        )


INSIDE = Beyond(0.0, far=False, atoms=(0, 0), distance=0.0, low=0.0, high=inf)


class Ranges(ABC):
    """The shortest and the longest distance of each pair of atoms in training frames."""

    reach = inf
    """Å, from which on the model sees no distance."""

    @abstractmethod
    def limits(self, numbers: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the shortest and the longest distance, (D,) Å, of each pair i < j of atoms (N,)."""

    def beyond(self, numbers: IntArray, positions: FloatArray) -> Beyond:
        """Return how far one frame, (N,) and (N, 3) Å, is outside."""
        first, second = _pairs(len(numbers))
        (low, high), apart = self.limits(numbers), distances(positions[None])[0]
        seen = np.minimum(apart, self.reach)
        out = np.maximum(low - seen, seen - high)
        if not (out > 0).any():
            return INSIDE
        out[(low == inf) & (apart >= self.reach)] = 0.0  # never seen, and not now either
        far = bool((out > np.maximum(LEAST, PART * (high - low))).any())
        k = int(out.argmax())
        where = (int(first[k]), int(second[k]))
        return Beyond(max(0.0, float(out[k])), far, where, float(apart[k]), float(low[k]), float(high[k]))


@dataclass(frozen=True, eq=False)
class MoleculeRanges(Ranges):
    """Of each pair of one molecule's atoms, in their order.

    Parameters
    ----------
    low, high : (D,) Å.
    """

    low: FloatArray
    high: FloatArray

    def limits(self, numbers: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return them; the atoms are those of the molecule."""
        del numbers
        return self.low, self.high


@dataclass(frozen=True)
class ElementRanges(Ranges):
    """Of each pair of elements, whatever the molecule.

    Parameters
    ----------
    known : shortest and longest distance, Å, by atomic numbers in order.
    reach : Å, see `Ranges`.
    """

    known: Mapping[tuple[int, int], tuple[float, float]]
    reach: float = inf

    @classmethod
    def of(cls, frames: Frames, reach: float) -> Self:
        """Return the ranges of molecules."""
        known: dict[tuple[int, int], tuple[float, float]] = {}
        for numbers, positions in _alike(frames):
            apart = np.minimum(distances(positions), reach)
            for pair in np.unique(pairs := _element_pairs(numbers), axis=0):
                own = apart[:, (pairs == pair).all(axis=1)]
                key, found = (int(pair[0]), int(pair[1])), (float(own.min()), float(own.max()))
                known[key] = _joint(known.get(key), found)
        return cls(known, reach)

    def __or__(self, other: "ElementRanges") -> "ElementRanges":
        """Return the ranges of all frames of both."""
        both = {key: _joint(self.known.get(key), value) for key, value in other.known.items()}
        return ElementRanges({**self.known, **both}, self.reach)

    def limits(self, numbers: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the ranges of each pair; from infinity to its negative where elements were never seen."""
        key = numbers.tobytes()
        if key not in self._limits:
            pairs = _element_pairs(numbers).tolist()
            limits = np.array([self.known.get((a, b), (inf, -inf)) for a, b in pairs]).reshape(-1, 2)
            self._limits.clear()  # most often frames of one molecule follow each other
            self._limits[key] = limits[:, 0], limits[:, 1]
        return self._limits[key]

    @cached_property
    def _limits(self) -> dict[bytes, tuple[FloatArray, FloatArray]]:
        """Limits of the molecule asked for last."""
        return {}

    def state(self) -> dict[str, list[float]]:
        """Return plain values, the inverse of `from_state`."""
        return {f"{a}-{b}": list(limits) for (a, b), limits in sorted(self.known.items())}

    @classmethod
    def from_state(cls, state: Mapping[str, Sequence[float]], reach: float) -> Self:
        """Return the ranges that `state` came from."""
        pairs = {tuple(map(int, key.split("-"))): limits for key, limits in state.items()}
        return cls({(a, b): (float(low), float(high)) for (a, b), (low, high) in pairs.items()}, reach)


def furthest(ranges: Iterable[Ranges], frames: Frames) -> list[Beyond]:
    """Return how far each frame is outside of the ranges that it is farthest outside of."""
    ranges = list(ranges)
    sides = [(frames.numbers[a:b], frames.positions[a:b]) for a, b in pairwise(frames.offsets)]
    return [max((r.beyond(*side) for r in ranges), key=lambda found: (found.far, found.by)) for side in sides]


def _joint(one: tuple[float, float] | None, other: tuple[float, float]) -> tuple[float, float]:
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


@lru_cache(maxsize=64)
def _pairs(atoms: int) -> tuple[IntArray, IntArray]:
    """Return i and j, (D,), of the pairs i < j; not to be written to."""
    first, second = np.triu_indices(atoms, 1)
    return first, second


def _element_pairs(numbers: IntArray) -> IntArray:
    """Return (D, 2) the atomic numbers of each pair i < j, the smaller first."""
    first, second = _pairs(len(numbers))
    pairs: IntArray = np.sort(np.stack([numbers[first], numbers[second]], axis=1), axis=1)
    return pairs


def distances(positions: FloatArray) -> FloatArray:
    """Return (n, D) distances of each pair i < j of (n, N, 3) positions."""
    first, second = _pairs(positions.shape[1])
    gap = positions[:, first] - positions[:, second]
    apart: FloatArray = np.sqrt(np.einsum("npx,npx->np", gap, gap))
    return apart


def _alike(frames: Frames) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield atoms (N,) and positions (k, N, 3) of frames with the same atoms in the same order."""
    for rows in alike(frames):
        start, stop = frames.offsets[rows[0]], frames.offsets[rows[0] + 1]
        numbers, size = frames.numbers[start:stop], int(stop - start)
        if size < 2:
            continue
        step = max(1, CHUNK // size**2)
        for i in range(0, len(rows), step):
            atoms = frames.offsets[rows[i : i + step]][:, None] + np.arange(size)
            yield numbers, frames.positions[atoms]
