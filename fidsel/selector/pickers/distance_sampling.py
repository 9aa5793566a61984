"""Distance sampling: frames are drawn, the more likely the farther they are from all that are labelled."""

from dataclasses import dataclass, replace
from functools import partial
from math import nextafter
from typing import ClassVar

import numpy as np

from fidsel.arguments import PositiveFloat, check_arguments
from fidsel.selector.pickers.free_rows import free_rows
from fidsel.selector.pickers.nearest import Nearest, pick_in_turn
from fidsel.selector.pool import Picks, Pool, Seed


@dataclass(frozen=True)
class DistanceSampling:
    """Draws frames one after the other, each with a probability that grows with its distance to the nearest.

        P(i) ∝ min_c ‖x_i − x_c‖^p over the unlabelled frames i and the labelled or picked c

    With p = 2 this is the seeding of k-means++, p = 0 is a random draw, and p → ∞ farthest-point sampling.
    Needs neither errors nor a model. Where a pool is of one temperature all frames are about as far, and the
    draw is nearly uniform; where few frames lie far from the many, it finds these, as farthest-point sampling
    does, without its liking for outliers (`benchmarks/variance_picks.py`).

    Parameters
    ----------
    power : p.

    References
    ----------
    D. Arthur, S. Vassilvitskii, Proc. SODA 2007, 1027 (p = 2).
    """

    needs_errors: ClassVar[bool] = False

    power: PositiveFloat = 4.0

    def __post_init__(self) -> None:
        check_arguments(self)

    def pick(self, pool: Pool, n: int, rng: Seed = 0) -> Picks:
        """Return `n` unlabelled frames in the order in which they were drawn.

        Without labelled frames the first is the one nearest to the mean of the unlabelled.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, or a feature is not finite.
        """
        rng = np.random.default_rng(rng)
        free = free_rows(pool, n, np.zeros(len(pool)))
        free = replace(free, repeats=rng.permutation(free.repeats))
        return pick_in_turn(pool, n, free, lambda *_: partial(_draw, self.power, rng))


def _draw(power: float, rng: np.random.Generator, near: Nearest) -> tuple[int, str]:
    import torch

    square = near.square.double()
    far = square.clamp(min=0.0)
    # all zero where what is left differs from a centre by less than single precision tells
    weights = (far / far.max() if far.any() else (square == 0).double()) ** (power / 2)
    upto = weights.cumsum(0)
    total = float(upto[-1])
    place = min(rng.random() * total, nextafter(total, 0.0))  # rounding may reach the end
    row = int(torch.searchsorted(upto, upto.new_tensor(place), right=True))
    return row, f"drawn by its distance to all frames labelled or picked, {near.distance(row):.3g}"
