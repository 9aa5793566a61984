"""Distances to the nearest of a growing set of centres, exact and mostly not computed."""

from collections.abc import Callable
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.pickers.free_rows import FreeRows, make_picks
from fidsel.selector.pool import Picks, Pool

if TYPE_CHECKING:
    from torch import Tensor

HEAD = 16
"""Directions that the lower bound of a distance is taken in."""
SAMPLE = 1024
"""Rows those directions are fitted to."""
SLACK = 1e-5
"""Relative rounding error, float32, that the lower bound is trusted to."""
CHUNK = 1 << 20
"""Numbers of one block of differences (4 MiB)."""


class Nearest:
    """Distance of each row to the nearest centre, kept up to date as rows become centres.

    A new centre c changes only rows x that it is nearer to than their centre so far. Most others are told
    by the distance in the leading principal directions V (orthonormal), ‖V(x − c)‖ ≤ ‖x − c‖, which costs
    `HEAD` multiplications instead of d. Distances themselves are float32 sums of squared differences;
    memory is O(n·d). Works on the current CUDA device where there is one, whatever device a model is on:
    CUDA_VISIBLE_DEVICES hides devices from it.

    Parameters
    ----------
    features : (n, d) finite.

    Attributes
    ----------
    square : (n,) squared distance to the nearest centre, ∞ before the first, −1 for the centres.
    owner : (n,) the nearest centre, −1 before the first.
    centres : how many there are.
    """

    def __init__(self, features: FloatArray) -> None:
        import torch

        with np.errstate(invalid="ignore"):
            mean = features.mean(axis=0)
        if not np.isfinite(mean).all():
            raise UsageError("features must be finite numbers; leave out the frames whose features are not")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        centred = features - mean
        self._scale = max(float(centred.max(initial=0.0)), -float(centred.min(initial=0.0))) or 1.0
        centred /= self._scale
        self._rows = torch.from_numpy(centred.astype(np.float32)).to(device)
        n, d = self._rows.shape
        sample = self._rows[:: max(1, n // SAMPLE)]
        directions = torch.linalg.svd(sample, full_matrices=False).Vh[: min(HEAD, d)]
        self._head = self._rows @ directions.T
        self._norm = (1 - SLACK) * self._head.square().sum(1)
        self.square = torch.full((n,), torch.inf, device=device)
        self.owner = torch.full((n,), -1, dtype=torch.int64, device=device)
        self.centres = 0

    @property
    def middle(self) -> int:
        """The row nearest to the mean of all."""
        return int(self._rows.square().sum(1).argmin())

    def add(self, row: int) -> None:
        """Make a row a centre."""
        near = self._perhaps_nearer(row).nonzero()[:, 0]
        step = max(1, CHUNK // max(1, self._rows.shape[1]))
        for start in range(0, len(near), step):
            some = near[start : start + step]
            square = (self._rows[some] - self._rows[row]).square().sum(1)
            closer = square < self.square[some]
            self.square[some[closer]] = square[closer]
            self.owner[some[closer]] = row
        self.square[row], self.owner[row] = -1.0, row
        self.centres += 1

    def distance(self, row: int) -> float:
        """Return how far a row is from its centre, in the unit of the features."""
        return self._scale * sqrt(self.square[row])

    def _perhaps_nearer(self, row: int) -> "Tensor":
        """Return (n,) False for rows that are certainly nearer to another centre."""
        import torch

        partial = torch.addmv(self._norm, self._head, self._head[row], alpha=-2.0)
        found: Tensor = partial < self.square - self._norm[row]
        return found


Choice = Callable[[Nearest], tuple[int, str]]
"""Names the next centre and says why."""


def beside_labelled(pool: Pool, fresh: IntArray) -> tuple[Nearest, IntArray]:
    """Return the distances of the labelled and the given rows to the labelled ones, and these rows."""
    labelled = np.flatnonzero(pool.labelled)
    rows = np.concatenate([labelled, fresh])
    near = Nearest(pool.features[rows])
    for i in range(len(labelled)):
        near.add(i)
    return near, rows


def walk(near: Nearest, n: int, choose: Choice) -> tuple[IntArray, list[str]]:
    """Return `n` rows, each chosen and made a centre in turn, and why.

    Without any centre the first is the row nearest to the mean of all.
    """
    chosen, why = np.empty(n, dtype=np.int64), []
    for place in range(n):
        row, text = choose(near) if near.centres else (near.middle, "nearest to the mean of all frames")
        near.add(row)
        chosen[place] = row
        why.append(text)
    return chosen, why


def pick_in_turn(pool: Pool, n: int, free: FreeRows, begin: Callable[[Nearest, IntArray], Choice]) -> Picks:
    """Return `n` picks, each chosen beside the labelled frames and those before it.

    Parameters
    ----------
    begin : given the distances and the rows of the pool that they are of, says how to choose.
    """
    if n == 0:
        return make_picks(pool, n, (free.fresh[:0], ()), free.repeats)
    near, rows = beside_labelled(pool, free.fresh)
    chosen, why = walk(near, min(n, len(free.fresh)), begin(near, rows))
    return make_picks(pool, n, (rows[chosen], why), free.repeats)
