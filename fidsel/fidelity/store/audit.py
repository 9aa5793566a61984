"""Whether a label store is sound: its sums and counts, its frames, its labels."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import isclose
from typing import Any, Final

from fidsel.data.checks.finding import few
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.rows import COLUMNS, LABEL, damaged, damaged_labels
from fidsel.fidelity.store.schema import COUNTS, SUMS

SAME: Final = partial(isclose, rel_tol=1e-9, abs_tol=1e-9)
"""Whether a running total is the sum, up to rounding."""
BATCH: Final = 5000
"""Rows that are looked at together."""
SHOWN: Final = 10


def audit(store: LabelStore) -> tuple[str, ...]:
    """Return what is wrong with a store, nothing where it is sound; a driver may work on it meanwhile.

    The running totals are compared with the sum of the ledger, the counts with the attempts and labels, each
    frame with its id, and each label with the shape of its frame.
    """
    store.query("BEGIN")  # one state of the store for all that follows
    try:
        return (
            *_differences(store, "ledger", SUMS, "SELECT account, kind, lines, amount, seconds FROM totals"),
            *_differences(store, "attempts", COUNTS, "SELECT key, status, attempts, seconds FROM tallies"),
            *_miscounted(store),
            *_damaged(store),
        )
    finally:
        store.query("ROLLBACK")


def _differences(store: LabelStore, what: str, summed: str, kept: str) -> Iterator[str]:
    """Yield where kept sums are not those of the rows; groups of nothing may be missing."""
    true, told = ({row[:2]: row[2:] for row in store.query(sql)} for sql in (summed, kept))
    for group in sorted(true.keys() | told.keys()):
        found, stated = true.get(group), told.get(group)
        empty = (0.0,) * len(found or stated or ())
        if not all(map(SAME, found or empty, stated or empty)):
            yield (
                f"the running total of the {what} ({', '.join(group)}) is {_words(stated)}, its rows add up "
                f"to {_words(found)}: another program has changed the file; put back a backup"
            )


def _words(row: Sequence[Any] | None) -> str:
    return "nothing" if row is None else " / ".join(f"{value:.10g}" for value in row)


def _miscounted(store: LabelStore) -> Iterator[str]:
    (labels,) = store.query("SELECT count(*) FROM labels")[0]
    if labels != store.count():
        yield f"{store.count()} attempts gave a label, but {labels} labels are there; put back a backup"


def _damaged(store: LabelStore) -> Iterator[str]:
    """Yield which frames are not what their ids say, and which labels do not fit their frames."""
    frames = [name for rows in _batches(store, f"SELECT {COLUMNS} FROM frames f") for name in damaged(rows)]
    labelled = f"SELECT {COLUMNS}, {LABEL} FROM labels l JOIN frames f USING (frame_id)"
    labels = [name for rows in _batches(store, labelled) for name in damaged_labels(rows)]
    for what, names in (("configurations", frames), ("labels", labels)):
        if names:
            yield f"{what} that are not what was stored: frames {few(names, SHOWN)}; put back a backup"


def _batches(store: LabelStore, sql: str) -> Iterator[list[Any]]:
    cursor = store.connection.execute(sql)
    while rows := cursor.fetchmany(BATCH):
        yield rows
