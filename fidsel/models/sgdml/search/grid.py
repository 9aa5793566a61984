"""A one-dimensional search that is not caught in local minima."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Where the minimum of an error is looked for.

    The error may have several minima (of the residual of aspirin, with 50 labels, one is at σ = 2.5 and the
    lowest at 160), so all points are looked at.

    Parameters
    ----------
    points : positive.
    refine : times the two (geometric) midpoints beside the best point are tried.
    widen : most points that are added beyond an edge, in the ratio of the two points there, as long as the
        best point is at the edge.

    Examples
    --------
    >>> Grid([5, 10, 20, 40, 80], refine=0).minimum(lambda s: (s - 11) ** 2)
    10.0
    >>> Grid([5, 10, 20], refine=0, widen=3).minimum(lambda s: (s - 100) ** 2)
    80.0
    """

    points: Sequence[float]
    refine: int
    widen: int = 0

    def minimum(self, error: Callable[[float], float]) -> float:
        """Return where an error is lowest, of equal ones the smallest; `error` is called once per point."""
        points = sorted({float(point) for point in self.points})
        known = {point: error(point) for point in points}

        def lowest() -> float:
            return min(known, key=lambda point: (known[point], point))

        for _ in range(self.widen if len(points) > 1 else 0):
            if lowest() not in (points[0], points[-1]):
                break
            low = lowest() == points[0]
            edge, inner = (points[0], points[1]) if low else (points[-1], points[-2])
            points = sorted([*points, edge * edge / inner])
            known[edge * edge / inner] = error(edge * edge / inner)
        for _ in range(self.refine):
            i = points.index(lowest())
            between = [float(np.sqrt(a * b)) for a, b in pairwise(points[max(i - 1, 0) : i + 2])]
            points = sorted(points + between)
            known.update({point: error(point) for point in between})
        return lowest()
