"""What a round knows of each molecule of its campaign."""

from collections.abc import Mapping
from dataclasses import dataclass

from fidsel.training.evaluate import Metrics


@dataclass(frozen=True)
class MoleculeRow:
    """One of several molecules after a round.

    Parameters
    ----------
    frames : its configurations in the pool.
    picks : of the round.
    labels : that the budget paid for, by level.
    price : of a label, base units, by level; None = none was measured.
    spent : of the budget on its labels so far, base units.
    metrics : on its held-out frames; None = it has none.
    """

    name: str
    frames: int
    picks: int
    labels: Mapping[str, int]
    price: Mapping[str, float | None]
    spent: float
    metrics: Metrics | None
