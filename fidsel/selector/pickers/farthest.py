"""Farthest-point sampling: each pick is as far as can be from all frames labelled or picked."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.selector.pickers.free_rows import free_rows
from fidsel.selector.pickers.nearest import Nearest, pick_in_turn
from fidsel.selector.pool import Picks, Pool, Seed


@dataclass(frozen=True)
class FarthestPoint:
    """Picks, again and again, the frame farthest from all labelled or picked ones; needs no errors.

    argmax_i min_c ‖x_i − x_c‖ over the unlabelled frames i and the labelled or picked c (maximin). Without
    labelled frames the first is the one nearest to the mean of the unlabelled. Ties go to the first row.

    References
    ----------
    T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985), doi:10.1016/0304-3975(85)90224-5.
    """

    needs_errors: ClassVar[bool] = False

    def pick(self, pool: Pool, n: int, rng: Seed = 0) -> Picks:  # noqa: ARG002
        """Return `n` unlabelled frames, the farthest first; nothing is drawn.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, or a feature is not finite.
        """
        free = free_rows(pool, n, np.zeros(len(pool)))
        return pick_in_turn(pool, n, free, lambda *_: _farthest)


def _farthest(near: Nearest) -> tuple[int, str]:
    row = int(near.square.argmax())
    return row, f"farthest from all frames labelled or picked, at {near.distance(row):.3g}"
