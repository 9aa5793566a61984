"""`Sketch`: the distances of large molecules in a bounded number of features."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames

WIDTH = 2048
"""Features of a sketch: distances between frames keep their size to about 2 %."""

CHUNK = 1 << 20
"""Features added up at once."""


@dataclass(frozen=True)
class Sketch:
    """A descriptor of many features, added up with random signs into few.

    Feature j is added to column h(j) with sign s(j), h and s drawn at random once. That is linear and keeps
    distances between frames: ⟨|S(x − y)|²⟩ = |x − y|², with a relative standard deviation of √(2/width).
    Time is that of the descriptor, memory that of one frame's features and the result; the draws depend on
    the number of features alone, so that every call gives the same columns.

    References
    ----------
    M. Charikar, K. Chen, M. Farach-Colton, Theor. Comput. Sci. 312, 3 (2004),
    doi:10.1016/S0304-3975(03)00400-6; K. Weinberger et al., ICML 2009, doi:10.1145/1553374.1553516.
    """

    descriptor: Callable[[Frames], FloatArray]
    features: int
    width: int = WIDTH

    def __call__(self, frames: Frames) -> FloatArray:
        """Return the sketched features of frames, (n, width)."""
        out = np.empty((len(frames), self.width))
        for row in range(len(frames)):
            out[row] = self._added(self.descriptor(frames[[row]])[0])
        return out

    def _added(self, features: FloatArray) -> FloatArray:
        """Return the sum of signed features in each column, (width,)."""
        column, sign = self._draws
        total = np.zeros(self.width)
        for start in range(0, len(features), CHUNK):
            part = slice(start, start + CHUNK)
            total += np.bincount(column[part], sign[part] * features[part], minlength=self.width)
        return total

    @cached_property
    def _draws(self) -> tuple[IntArray, IntArray]:
        """(features,) column and sign of each."""
        rng = np.random.default_rng(self.features)
        column = rng.integers(self.width, size=self.features, dtype=np.int16)
        sign = rng.integers(2, size=self.features, dtype=np.int8) * 2 - 1
        return np.asarray(column), np.asarray(sign, dtype=np.int8)
