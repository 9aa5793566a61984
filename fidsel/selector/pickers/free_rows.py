"""Which frames of a pool a picker may take, and in which order duplicates come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.pickers.reasons import about, at_cost
from fidsel.selector.pool import Picks, Pool


@dataclass(frozen=True, eq=False)
class FreeRows:
    """The unlabelled frames of a pool, repeated configurations set apart.

    Parameters
    ----------
    fresh : unlabelled rows with distinct features, none of which a labelled row shares.
    repeats : the other unlabelled rows; taken only when no fresh one is left.
    """

    fresh: IntArray
    repeats: IntArray


def free_rows(pool: Pool, n: int, preference: FloatArray) -> FreeRows:
    """Return the frames that may be picked, in ascending order of rows.

    Raises a `UsageError` where `n` is negative or fewer than `n` frames are unlabelled.

    Parameters
    ----------
    n : frames wanted.
    preference : (n_frames,) of several equal unlabelled rows the one with the highest is the fresh one;
        ties go to the lowest row.
    """
    free = int((~pool.labelled).sum())
    if not 0 <= n <= free:
        raise UsageError(
            f"a pick must be of 0 to {free} frames (the unlabelled ones among {len(pool)}), got {n}: "
            "ask for fewer, or enlarge the pool"
        )
    fresh = _first_of_equals(pool.features, np.lexsort((-preference, ~pool.labelled))) & ~pool.labelled
    return FreeRows(np.flatnonzero(fresh), np.flatnonzero(~fresh & ~pool.labelled))


def _first_of_equals(features: FloatArray, order: IntArray) -> BoolArray:
    """Return True for each row that no equal row precedes in `order`.

    Rows are compared where their checksums meet: sorting whole rows takes as long as picking.
    """
    rows = np.ascontiguousarray(features, dtype=np.float64) + 0.0  # -0.0 and 0.0 have different bytes
    if rows.shape[1] == 0:
        return np.asarray(np.arange(len(rows)) == order[:1])
    factors = np.random.default_rng(0).integers(2**63, size=rows.shape[1], dtype=np.uint64) | np.uint64(1)
    checksums = np.einsum("ij,j->i", rows.view(np.uint64), factors)
    _, inverse, counts = np.unique(checksums, return_inverse=True, return_counts=True)
    doubtful = order[(counts[inverse] > 1)[order]]
    keys = rows[doubtful].view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first = np.unique(keys, return_index=True)
    out = np.ones(len(rows), dtype=bool)
    out[doubtful] = False
    out[doubtful[first]] = True
    return out


def known_errors(pool: Pool, purpose: str) -> None:
    """Raise a `UsageError` unless the error of every unlabelled frame is known.

    Parameters
    ----------
    purpose : what needs them, the subject of the message.
    """
    free = ~pool.labelled
    unusable = free & ~(np.isfinite(pool.errors) & (pool.errors >= 0))
    if unusable.any():
        raise UsageError(
            f"{purpose} needs the error of every unlabelled frame, finite and ≥ 0; "
            f"{unusable.sum()} of {free.sum()} are not: run an error source first "
            "(fidsel.selector.ERROR_SOURCES) and put its estimate in Pool.errors"
        )


def per_cost(pool: Pool) -> Pool:
    """Return the pool with errors per cost of a frame, in units of the dearest frame's cost.

    Errors stay, bit by bit, where all frames cost the same, and where a cost is unknown or 0.
    """
    if not pool.unlike_costs:
        return pool
    cost = pool.costs.sum(axis=1)
    return replace(pool, errors=pool.errors / (cost / cost.max()))


def make_picks(
    pool: Pool,
    n: int,
    chosen: tuple[IntArray, Sequence[str]],
    repeats: IntArray,
    notes: Sequence[str] = (),
) -> Picks:
    """Return `n` picks at the most accurate fidelity, the last: the chosen rows, then repeats to fill up.

    Parameters
    ----------
    chosen : at most n rows, and why each of them.
    repeats : in order of preference, see `FreeRows`.
    """
    level, (rows, why) = pool.costs.shape[1] - 1, chosen
    again = repeats[: n - len(rows)]
    rows = np.concatenate([rows, again])
    why = [*why, *["repeats a configuration"] * len(again)]
    reason = [
        f"{what}: {text}{at_cost(pool, int(row), level)}"
        for what, text, row in zip(about(pool, rows), why, rows, strict=True)
    ]
    if len(again):
        notes = [
            *notes,
            f"{len(again)} picks repeat a configuration that is labelled or picked: no others are left, so "
            "enlarge the pool before picking more",
        ]
    clusters = pool.clusters[rows].astype(np.int64)
    return Picks(rows, np.full(n, level), clusters, tuple(reason), tuple(notes))
