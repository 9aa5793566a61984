"""What a picker returns, checked: it may be a user's own, and the rows it names are bought and trained on."""

from typing import Any

import numpy as np

from fidsel.arrays import IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.pool import Picker, Picks, Pool

HOW = "Picks(indices, fidelity, cluster, reason) of fidsel.selector"


def ask(picker: Picker, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
    """Return `n` picks of a picker, of which each is an unlabelled row of the pool, once.

    Raises
    ------
    UsageError
        where what the picker returned is something else, naming its class and the rule, and where the picker
        refuses the pool.

    Examples
    --------
    >>> class First:
    ...     def pick(self, pool, n, rng):
    ...         return Picks(np.arange(n), np.zeros(n, int), np.full(n, -1), ("it comes first",) * n)
    >>> ask(First(), Pool.of([[0.0], [1.0]], labelled=[0]), 1, np.random.default_rng(0))
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: First.pick must not return rows that are labelled, got [0]
    """
    found = picker.pick(pool, n, rng)
    whose = f"{type(picker).__name__}.pick"
    if not isinstance(found, Picks):
        raise UsageError(f"{whose} must return {HOW}, got {type(found).__name__} {str(found)[:60]!r}")
    indices = _whole(whose, "indices", found.indices)
    k = len(indices)
    _refuse(whose, f"lie outside of the pool of {len(pool)}", indices[(indices < 0) | (indices >= len(pool))])
    rows, counts = np.unique(indices, return_counts=True)
    _refuse(whose, "come twice", rows[counts > 1])
    _refuse(whose, "are labelled", indices[pool.labelled[indices]])
    if k != n:
        raise UsageError(f"{whose} must return the {n} rows it was asked for, got {k}")
    levels = pool.costs.shape[1]
    fidelity, cluster = (
        _whole(whose, "fidelity", found.fidelity, k),
        _whole(whose, "cluster", found.cluster, k),
    )
    if len(wrong := fidelity[(fidelity < 0) | (fidelity >= levels)]):
        raise UsageError(
            f"{whose} must return as fidelity columns of Pool.costs, 0 to {levels - 1}, got {_few(wrong)}"
        )
    if len(wrong := indices[(cluster != pool.clusters[indices]) & (cluster != -1)]):
        raise UsageError(
            f"{whose} must return as cluster that of the pool, or −1, got another of rows {_few(wrong)}"
        )
    reason = tuple(found.reason)
    if len(reason) != k or not all(isinstance(why, str) and why for why in reason):
        raise UsageError(f"{whose} must return as reason {k} texts, one for each row, got {str(reason)[:60]}")
    return Picks(indices, fidelity, cluster, reason, tuple(found.notes))


def _whole(whose: str, name: str, given: Any, k: int | None = None) -> IntArray:  # Any: of a user's class
    """Return whole numbers, (k,); k = None for as many as there are."""
    try:
        found = np.asarray(given)
    except ValueError:
        found = np.asarray("")
    numbers = found.dtype.kind in "iu" or found.size == 0
    if not numbers or found.ndim != 1 or len(found) != (len(found) if k is None else k):
        shape = "k" if k is None else k
        raise UsageError(
            f"{whose} must return as {name} an array of whole numbers of shape ({shape},), got "
            f"{found.dtype} of shape {found.shape}"
        )
    return found.astype(np.int64)


def _refuse(whose: str, what: str, rows: IntArray) -> None:
    if len(rows):
        raise UsageError(f"{whose} must not return rows that {what}, got {_few(rows)}")


def _few(rows: IntArray) -> str:
    more = ", ..." if len(rows) > 5 else ""
    return f"[{', '.join(map(str, rows[:5].tolist()))}{more}]"
