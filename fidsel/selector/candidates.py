"""Which frames of a pool a picker may take, and in which order duplicates come."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fidsel.data.frames import BoolArray, FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.selector.pool import Picks, Pool


@dataclass(frozen=True, eq=False)
class Candidates:
    """The unlabelled frames of a pool, repeated configurations set apart.

    Parameters
    ----------
    fresh : unlabelled rows with distinct features, none of which a labelled row shares.
    repeats : the other unlabelled rows; taken only when no fresh one is left.
    """

    fresh: IntArray
    repeats: IntArray


def candidates(pool: Pool, n: int, preference: FloatArray) -> Candidates:
    """Return the frames that may be picked, in ascending order of rows.

    Parameters
    ----------
    n : frames wanted.
    preference : (n_frames,) of several equal unlabelled rows the one with the highest is the fresh one;
        ties go to the lowest row.

    Raises
    ------
    UsageError
        where `n` is negative or fewer than `n` frames are unlabelled.
    """
    free = int((~pool.labelled).sum())
    if not 0 <= n <= free:
        raise UsageError(
            f"a pick must be of 0 to {free} frames (the unlabelled ones among {len(pool)}), got {n}: "
            "ask for fewer, or enlarge the pool"
        )
    fresh = _first_of_equals(pool.features, np.lexsort((-preference, ~pool.labelled))) & ~pool.labelled
    return Candidates(np.flatnonzero(fresh), np.flatnonzero(~fresh & ~pool.labelled))


def _first_of_equals(features: FloatArray, order: IntArray) -> BoolArray:
    """Return True for each row that no equal row precedes in `order`."""
    rows = np.ascontiguousarray(features[order]) + 0.0  # -0.0 and 0.0 have different bytes
    out = np.zeros(len(rows), dtype=bool)
    if rows.size == 0:
        out[:1] = True
        return out[np.argsort(order)] if len(order) else out
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, first = np.unique(keys, return_index=True)
    out[order[first]] = True
    return out


def column(pool: Pool, fidelity: int) -> int:
    """Return the column of `Pool.costs` that an index (−1 = the last, most accurate) names."""
    levels = pool.costs.shape[1]
    if not -levels <= fidelity < levels:
        raise UsageError(f"the pool has costs of {levels} fidelities; there is no column {fidelity}")
    return int(fidelity % levels)


def make_picks(
    pool: Pool, rows: IntArray, fidelity: int, reason: Sequence[str], notes: Sequence[str]
) -> Picks:
    """Return the picks of some rows, all at one fidelity."""
    return Picks(
        rows, np.full(len(rows), column(pool, fidelity)), pool.clusters[rows].astype(np.int64),
        tuple(reason), tuple(notes),
    )  # fmt: skip
