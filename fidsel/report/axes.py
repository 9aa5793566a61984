"""Axes of a chart: scales, their ticks, and where values lie between the margins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, log10

import numpy as np
from numpy.typing import ArrayLike

from fidsel.arrays import FloatArray
from fidsel.report.chart import GRID, Shape, Words

NARROW = 8
"""Largest ratio of the ends of a logarithmic scale that has even ticks: those of decades would be too few."""
LETTER = 0.6
"""Width of a letter, in its size."""


@dataclass(frozen=True)
class Scale:
    """From `low` to `high`, both finite and low < high; above 0 where it is logarithmic."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: ArrayLike, *, log: bool) -> "Scale":
        """Return a scale that holds some values, with a little room at both ends."""
        found = np.log(values) if log else np.asarray(values, dtype=np.float64)
        low, high = float(found.min()), float(found.max())
        room = 0.05 * (high - low) or (0.1 if log else 0.1 * abs(low) or 1.0)
        ends = np.array([low - room, high + room])
        low, high = (np.exp(ends) if log else ends).tolist()
        return cls(low, high, log)

    def share(self, values: ArrayLike) -> FloatArray:
        """Return where values lie, 0 at the low end, 1 at the high one."""
        change = np.log if self.log else np.asarray
        low, high = change(self.low), change(self.high)
        return np.asarray((change(values) - low) / (high - low), dtype=np.float64)

    def ticks(self) -> list[float]:
        """Return round numbers between the ends, about four to nine; over many decades powers of ten only.

        >>> Scale(0.0, 47.0).ticks(), Scale(3.0, 250.0, log=True).ticks()
        ([0.0, 10.0, 20.0, 30.0, 40.0], [5.0, 10.0, 20.0, 50.0, 100.0, 200.0])
        """
        if not self.log or self.high < NARROW * self.low:
            rough = (self.high - self.low) / 8
            power = 10.0 ** floor(log10(rough))
            step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
            first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
            return [float(f"{number * step:.12g}") for number in range(first, last + 1)]
        powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        factors = (1, 2, 5) if len(powers) <= 4 else (1,)
        every = ceil(len(powers) / 8)
        found = [factor * 10.0**power for power, factor in product(powers[::every], factors)]
        return [value for value in found if self.low <= value <= self.high]


@dataclass(frozen=True)
class Axes:
    """A rectangle of a chart, points from left and above, with a scale along each side."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale

    def place(self, x: ArrayLike, y: ArrayLike) -> FloatArray:
        """Return where some values are drawn, (k, 2)."""
        across = self.left + (self.right - self.left) * self.x.share(x)
        down = self.bottom + (self.top - self.bottom) * self.y.share(y)
        return np.stack(np.broadcast_arrays(across, down), axis=-1)

    def frame(self, xlabel: str, ylabel: str) -> Iterator[Shape | Words]:
        """Yield both lines and labels, and grid and ticks of the vertical axis."""
        for value in self.y.ticks():
            level = float(self.place(self.x.low, value)[1])
            yield Shape([[self.left, level], [self.right, level]], GRID, 0.6)
            yield Shape([[self.left - 3, level], [self.left, level]])
            yield Words(f"{value:g}", self.left - 5, level + 3.2, anchor="end")
        yield Shape([[self.left, self.top], [self.left, self.bottom], [self.right, self.bottom]])
        yield Words(ylabel, 12, (self.top + self.bottom) / 2, 10, "middle", turned=True)
        yield Words(xlabel, (self.left + self.right) / 2, self.bottom + 31, 10, "middle")

    def ticks_below(self, values: Sequence[float], texts: Sequence[str]) -> Iterator[Shape | Words]:
        """Yield ticks of the horizontal axis, those that are close with texts that are turned."""
        places = self.place(values, self.y.low)[:, 0].tolist()
        turned, size = (True, 7.0) if min(np.diff(places), default=99.0) < 24 else (False, 9.0)
        for across, text in zip(places, texts, strict=True):
            yield Shape([[across, self.bottom], [across, self.bottom + 3]])
            if turned:
                yield Words(text, across + 2.5, self.bottom + 5, size, "end", turned=True)
            else:
                yield Words(text, across, self.bottom + 13, size, "middle")

    def counts_right(self, label: str, color: str) -> Iterator[Shape | Words]:
        """Yield line, ticks and label of an axis of whole numbers on the right."""
        for value in filter(float.is_integer, self.y.ticks()):
            level = float(self.place(self.x.low, value)[1])
            yield Shape([[self.right, level], [self.right + 3, level]], color)
            yield Words(f"{value:g}", self.right + 5, level + 3.2, color=color)
        yield Shape([[self.right, self.top], [self.right, self.bottom]], color)
        yield Words(label, self.right + 38, (self.top + self.bottom) / 2, 10, "middle", color, turned=True)


@dataclass(frozen=True)
class Key:
    """What a legend says of a series: a line, or a bar where it is filled."""

    text: str
    color: str
    dash: tuple[float, ...] = ()
    filled: bool = False

    @property
    def width(self) -> float:
        """About how wide it is, points."""
        return 20 + LETTER * 8.0 * len(self.text)

    def marks(self, x: float, y: float) -> Iterator[Shape | Words]:
        """Yield it with its left end at x and its baseline at y."""
        if self.filled:
            yield Shape([[x, y], [x, y - 6], [x + 16, y - 6], [x + 16, y]], width=0, fill=self.color)
        else:
            yield Shape([[x, y - 3], [x + 16, y - 3]], self.color, 1.4, dash=self.dash)
        yield Words(self.text, x + 20, y, 8)
