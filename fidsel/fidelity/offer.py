"""What may be ordered next: how much to reserve for a label, and how long it may take."""

from math import inf, isfinite, isnan

from fidsel.fidelity.attempt import Order
from fidsel.fidelity.budget import TOLERANCE, Budget
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store import LabelStore

BATCH_SECONDS = 1.0
"""Predicted core-seconds of labels that are reserved in one transaction, and sent out as one group."""
BATCH_SIZE = 500
"""Labels that are reserved in one transaction at most."""


class Offers:
    """Orders at one fidelity that the budget can pay for whatever becomes of them.

    With a price per core-second a label may take, beyond its predicted cost p, an equal part of what is
    left, so that all labels in flight together cannot pass the budget,

        c = min(rate × time limit, p + (free − p) / min(2·slots, left)),    rate = price × threads,

    free being the budget less all that is spent and reserved, slots the labels of that length that are
    in flight at once, and left those still to be ordered. c is reserved, and c / rate is the label's
    time limit.

    Parameters
    ----------
    fidelity : what is bought.
    budget : what bounds it; None = nothing.
    workers : labels that run at once.
    store : labels at this fidelity so far give the time of one that nothing is predicted for.
    """

    def __init__(self, fidelity: Fidelity, budget: Budget | None, workers: int, store: LabelStore) -> None:
        self.fidelity, self.budget, self.workers = fidelity, budget, workers
        so_far = store.statistics(fidelity)
        self._count = so_far.done
        self._sum = so_far.mean_seconds * so_far.done if so_far.done else 0.0

    def learn(self, seconds: float) -> None:
        """Note the core-seconds of a label."""
        self._count, self._sum = self._count + 1, self._sum + seconds

    def seconds(self, predicted: float) -> float:
        """Return the core-seconds to reckon with; NaN where nothing is known."""
        if not isnan(predicted):
            return predicted
        return self._sum / self._count if self._count else predicted

    def order(self, frame_id: str, predicted: float, free: float, left: int) -> Order | None:
        """Return an order that costs no more than `free`; None where the label would cost more.

        Parameters
        ----------
        frame_id : which label.
        predicted : core-seconds to reckon with, NaN = unknown.
        free : what is neither spent nor reserved.
        left : labels still to be ordered, this one included.
        """
        price, limit = self.fidelity.price, self.fidelity.time_limit
        known = None if isnan(predicted) else predicted
        cost = price.value if price.per == "label" else price.value * (known or 0.0)
        if price.declared or self.budget is None:
            slack = 0.0 if self.budget is None else self.budget.total * TOLERANCE
            return Order(frame_id, cost, known, limit) if cost == 0 or cost <= free + slack else None
        rate = price.value * self.fidelity.threads
        most = rate * (inf if limit is None else limit)
        if free <= 0 or cost > free:
            return None
        together = BATCH_SECONDS / known if known else 1.0
        slots = self.workers * min(max(together, 1.0), BATCH_SIZE)
        ceiling = min(most, cost + (free - cost) / min(2 * slots, left))
        return Order(
            frame_id, ceiling, known, limit if ceiling == most and isfinite(most) else ceiling / rate
        )
