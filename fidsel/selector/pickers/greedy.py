"""Picking the frames with the highest estimated errors."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fidsel.selector.pickers.free_rows import free_rows, known_errors, make_picks, per_cost
from fidsel.selector.pool import Picks, Pool, Seed


@dataclass(frozen=True)
class Greedy:
    """Picks the highest estimated errors first; with error = "committee", query by committee.

    Neighbouring frames have similar errors, so the picks tend to be alike: see `LCMD`. Frames of equal
    error come in the order of their rows. Where frames cost unlike much, errors count per cost of a frame at
    all levels.

    References
    ----------
    H. S. Seung, M. Opper, H. Sompolinsky, Proc. COLT 1992, 287, doi:10.1145/130385.130417.
    """

    needs_errors: ClassVar[bool] = True

    def pick(self, pool: Pool, n: int, rng: Seed = 0) -> Picks:  # noqa: ARG002
        """Return `n` unlabelled frames by falling error; nothing is drawn.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, or the error of one of them is unknown.
        """
        free = free_rows(pool, n, pool.errors)
        known_errors(pool, "picking by highest error")
        ranked = per_cost(pool)
        rows, repeats = (
            part[np.argsort(-ranked.errors[part], kind="stable")] for part in (free.fresh, free.repeats)
        )
        rows, total, per = rows[:n], len(rows), "" if ranked is pool else " per cost"
        why = [f"number {place} of {total} by estimated error{per}" for place in range(1, len(rows) + 1)]
        return make_picks(pool, n, (rows, why), repeats)
