"""Gain per cost: which frames to label at which level of theory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError, unknown
from fidsel.selector.ask import ask
from fidsel.selector.pickers.free_rows import free_rows, known_errors
from fidsel.selector.pickers.reasons import at_cost
from fidsel.selector.pool import Picker, Picks, Pool, Seed, needs_covariance, needs_errors


@dataclass(frozen=True)
class CostAware:
    """Another picker's shortlist, taken by gain per cost, each frame at the fidelity that pays most.

    1. The picker names m = `breadth` × n frames, without knowing costs.
    2. u_if = g_f v_i / k_if for each of them at each fidelity; the fidelity of frame i is argmax_f u_if.
    3. The n frames with the largest u_i, largest first.

    ===== ============================================================================================
    g_f   gain of a label at fidelity f, relative to each other
    v_i   value of the frame: 1 − place/m on the shortlist, from 1 for the first, or its estimated error
    k_if  cost of the label (`Pool.costs`); what costs nothing comes first, by g_f v_i
    ===== ============================================================================================

    Ties go to the larger gain, then to the more accurate fidelity, and to the earlier place. With equal costs
    and values by place these are the picks of the picker itself.

    Parameters
    ----------
    picker : makes the shortlist.
    gains : (n_fidelities,) ≥ 0, cheapest fidelity first, e.g. (0.05, 1.0); 0 = never at that fidelity.
    breadth : length of the shortlist, in picks; frames that repeat a configuration never lengthen it.
    value : "place" or "error".
    """

    picker: Picker
    gains: Sequence[float]
    breadth: float = 3.0
    value: Literal["place", "error"] = "place"

    def __post_init__(self) -> None:
        gains = np.asarray(self.gains, dtype=np.float64)
        if gains.ndim != 1 or not (np.isfinite(gains) & (gains >= 0)).all() or not gains.any():
            raise UsageError(f"gains must be one number ≥ 0 per fidelity, not all zero, got {self.gains}")
        if not (np.isfinite(self.breadth) and self.breadth >= 1):
            raise UsageError(f"breadth must be a number ≥ 1, got {self.breadth}")
        if self.value not in ("place", "error"):
            raise unknown("value", self.value, ["place", "error"])

    @property
    def needs_errors(self) -> bool:
        """Whether the picker reads errors, or values are errors."""
        return self.value == "error" or needs_errors(self.picker)

    @property
    def needs_covariance(self) -> bool:
        """Whether the picker reads the covariance of forces."""
        return needs_covariance(self.picker)

    def pick(self, pool: Pool, n: int, rng: Seed) -> Picks:
        """Return `n` unlabelled frames by falling gain per cost, at one or several fidelities.

        Raises
        ------
        UsageError
            where fewer than `n` frames are unlabelled, a cost is negative or unknown, there is not one gain
            per fidelity, or an error that is a value is unknown.
        """
        rng = np.random.default_rng(rng)
        distinct = len(free_rows(pool, n, np.zeros(len(pool))).fresh)
        gains = self._gains(pool)
        length = max(n, min(int(np.ceil(self.breadth * n)), distinct))
        blind = replace(pool, costs=np.full(pool.costs.shape, np.nan))
        listed = ask(self.picker, blind, length, rng)
        value = self._values(pool, listed.indices)
        fidelity, utility = _best(gains, value, pool.costs[listed.indices])
        order = np.lexsort((-(value * gains[fidelity]), -utility))[:n]
        rows, level = listed.indices[order], fidelity[order]
        reason = [
            f"{listed.reason[i]}{at_cost(pool, int(row), int(f))}: gain {gains[f]:.3g} × value {value[i]:.3g}"
            for i, row, f in zip(order, rows, level, strict=True)
        ]
        return Picks(rows, level, listed.cluster[order], tuple(reason), listed.notes)

    def _gains(self, pool: Pool) -> FloatArray:
        gains = np.asarray(self.gains, dtype=np.float64)
        if len(gains) != pool.costs.shape[1]:
            raise UsageError(
                f"gains must have one number for each of the pool's {pool.costs.shape[1]} fidelities, got "
                f"{len(gains)}"
            )
        costs = pool.costs[~pool.labelled][:, gains > 0]
        if not (np.isfinite(costs) & (costs >= 0)).all():
            raise UsageError(
                "costs of unlabelled frames must be finite and ≥ 0 (0 for labels already owned) at every "
                "fidelity with a gain: fill them in, or give that fidelity a gain of 0"
            )
        return gains

    def _values(self, pool: Pool, rows: IntArray) -> FloatArray:
        if self.value == "place":
            return 1 - np.arange(len(rows)) / max(1, len(rows))
        known_errors(pool, "value by error")
        return np.asarray(pool.errors[rows], dtype=np.float64)


def _best(gains: FloatArray, value: FloatArray, costs: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the fidelity that pays most for each frame and its gain per cost, ∞ where it costs nothing."""
    gain = np.broadcast_to(gains, costs.shape)
    rate = np.where(gain > 0, np.inf, -np.inf)
    np.divide(gain, costs, out=rate, where=(gain > 0) & (costs > 0))
    levels = np.broadcast_to(np.arange(len(gains)), costs.shape)
    fidelity = np.lexsort((levels, gain, rate))[:, -1]
    best = np.take_along_axis(rate, fidelity[:, None], axis=1)[:, 0]
    utility = np.full(len(value), np.inf)
    np.multiply(value, best, out=utility, where=np.isfinite(best))
    return fidelity, utility
