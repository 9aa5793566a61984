"""Largest-cluster maximum distance: far from what is labelled, where many frames are."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from fidsel.arguments import check_arguments
from fidsel.arrays import FloatArray, IntArray
from fidsel.selector.pickers.free_rows import free_rows, known_errors, per_cost
from fidsel.selector.pickers.nearest import Choice, Nearest, pick_in_turn
from fidsel.selector.pickers.reasons import counted
from fidsel.selector.pool import Picks, Pool, Seed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LCMD:
    """Picks from the largest cluster around a labelled or picked frame the frame farthest from its centre.

    Each unlabelled frame i belongs to its nearest centre c(i), a labelled or picked frame:

    1. v_i = w_i ‖x_i − x_c(i)‖²
    2. the largest cluster, c* = argmax_c Σ_{c(i) = c} v_i
    3. the pick, argmax_{c(i) = c*} v_i, which becomes a centre.

    Outliers alone make small clusters, so they come later than in farthest-point sampling. Without labelled
    frames the first pick is the frame nearest to the mean. Ties go to the first row.

    Parameters
    ----------
    weights : what squared distances are weighed by: "none", w_i = 1 (as published), needs no errors;
        "errors", w_i = estimated error of the frame, with error = "committee" is a committee made diverse.
        Where frames cost unlike much, errors count per cost of a frame at all levels. Where all errors are
        zero, frames weigh alike.

    References
    ----------
    D. Holzmüller, V. Zaverkin, J. Kästner, I. Steinwart, J. Mach. Learn. Res. 24, 164 (2023),
    arXiv:2203.09410.
    """

    weights: Literal["none", "errors"] = "none"

    def __post_init__(self) -> None:
        check_arguments(self)

    @property
    def needs_errors(self) -> bool:
        """Whether distances are weighed by errors."""
        return self.weights == "errors"

    def pick(self, pool: Pool, n: int, rng: Seed = 0) -> Picks:  # noqa: ARG002
        """Return `n` unlabelled frames in order of picking; nothing is drawn.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, a feature is not finite, or errors are to weigh and
            that of an unlabelled frame is unknown.
        """
        free = free_rows(pool, n, pool.errors if self.needs_errors else np.zeros(len(pool)))
        if self.needs_errors:
            known_errors(pool, "weighing distances by errors")

        def begin(near: Nearest, rows: IntArray) -> Choice:
            return partial(_largest, near.square.new_tensor(self._weights(pool)[rows]))

        return pick_in_turn(pool, n, free, begin)

    def _weights(self, pool: Pool) -> FloatArray:
        """Return (n,) weights, the largest 1; those of labelled rows are never used."""
        free, errors = ~pool.labelled, per_cost(pool).errors
        largest = errors[free].max(initial=0.0) if self.needs_errors else 0.0
        return np.where(free, errors / largest, 0.0) if largest > 0 else np.ones(len(pool))


def _largest(weights: "Tensor", near: Nearest) -> tuple[int, str]:
    import torch

    centre = near.square < 0
    value = torch.where(centre, -1.0, weights * near.square)
    size = torch.bincount(near.owner, value.clamp(min=0.0).double())
    cluster = size.argmax()
    inside = (near.owner == cluster) & ~centre
    row = int((torch.where(inside, value, -1.0) if inside.any() else value).argmax())
    share = float(size[cluster] / size.sum()) if size.sum() > 0 else 0.0
    return row, (
        f"farthest, at {near.distance(row):.3g}, in the largest cluster around a frame labelled or picked "
        f"({counted(int(inside.sum()))}, {100 * share:.3g} % of the squared distances)"
    )
