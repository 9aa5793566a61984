"""What may be ordered next: how much to reserve for a label, and how long it may take."""

from collections.abc import Iterable, Mapping
from math import inf, isnan

from fidsel.fidelity.attempt import Order
from fidsel.fidelity.budget import TOLERANCE, Budget
from fidsel.fidelity.buying.late import Quorum
from fidsel.fidelity.buying.outcome import stated_seconds
from fidsel.fidelity.engine.task import GROUP_SECONDS, QUICK
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.store.labels import LabelStore

BATCH_SIZE = 500
"""Labels that are reserved in one transaction at most."""

MARGIN = 1.5
"""A label is begun only where the budget has so many times its predicted cost left: about the upper 95 %
bound of the cost model, since a label that is stopped by the budget is paid for and lost."""

QUICK_LIMIT = 2.0
"""core-seconds that each label predicted to take less than `QUICK` may take."""

OVERHEAD = 1.05
"""Times threads × time limit that a label may use before it is taken for one that uses more threads."""

PATIENCE, LEAST_PATIENCE = 20.0, 600.0
"""Wall time, as a multiple of its core-seconds and in s, after which a label that the budget limits, but
its level does not, is taken to hang: a busy machine may well need ten times the core-seconds."""


def patience(fidelity: Fidelity, seconds: float) -> float:
    """Return s of wall time after which a label that may take so many core-seconds is taken to hang."""
    own = fidelity.time_limit
    return max(LEAST_PATIENCE, PATIENCE * seconds) if own is None else own


class Reservations:
    """Orders at one fidelity whose reserved costs the budget can pay, however long their labels take.

    With a price per second, each label may cost its predicted cost p and an equal part of what is left. The
    labels in flight together then cannot exceed the budget,

        c = min(rate × time limit, max(`MARGIN`·p, p + (free − p) / min(2·slots, left))),

    rate = price × threads, free being the budget less all that is spent and reserved, slots the labels of
    that length that are in flight at once, and left those still to be ordered. c is reserved, and
    c / price is the label's limit in core-seconds. Where `MARGIN`·p is not there, nothing is ordered.
    Quick labels (p < `QUICK`) may take `QUICK_LIMIT` each whatever is reserved, or the scatter of very
    short times would stop them; what that may pass the budget by is at most `QUICK_LIMIT` for each
    label that has been sent when the first one runs long.

    Parameters
    ----------
    budget : what bounds it; None = nothing.
    workers : labels that run at once.
    store : labels at this fidelity so far give the time of one that nothing is predicted for.
    """

    def __init__(self, fidelity: Fidelity, budget: Budget | None, workers: int, store: LabelStore) -> None:
        self.fidelity, self.budget, self.workers = fidelity, budget, workers
        so_far = store.statistics(fidelity)
        self._count = so_far.done
        self._sum = so_far.mean_seconds * so_far.done if so_far.done else 0.0
        self._least = 0.0
        self._margin = MARGIN if stated_seconds(fidelity.source) is None else 1.0

    @property
    def proven(self) -> bool:
        """Whether this fidelity has given a label."""
        return self._count > 0

    def learn(self, seconds: float) -> None:
        """Note the core-seconds of a label."""
        self._count, self._sum, self._least = self._count + 1, self._sum + seconds, 0.0

    def too_short(self, seconds: float) -> None:
        """Note that a label was not finished after so many core-seconds: until one is, expect twice that."""
        self._least = max(self._least, 2 * seconds)

    def seconds(self, predicted: float) -> float:
        """Return the core-seconds to reckon with; NaN where nothing is known."""
        if isnan(predicted) and self._count:
            predicted = self._sum / self._count
        if self._least and not predicted >= self._least:  # NaN as well
            return self._least
        return predicted

    def sequence(self, predicted: Mapping[str, float], free: float, quorum: Quorum) -> list[str]:
        """Return frames in the order in which their labels begin: the longest first.

        None of them then begins when the others end. Those that the purchase does not wait for come last.
        Where not all can be paid for, or the purchase waits for any so many of them, the order stays.

        Parameters
        ----------
        predicted : core-seconds of each frame, the most wanted first; NaN = unknown.
        free : what is neither spent nor reserved.
        """
        seconds = {frame: self.seconds(one) for frame, one in predicted.items()}
        needed = quorum.needed
        unknown = any(map(isnan, seconds.values())) or (needed is None and quorum.spare > 0)
        if unknown or self.least(seconds.values()) > free:
            return list(predicted)
        return sorted(
            predicted, key=lambda frame: (needed is not None and frame not in needed, -seconds[frame])
        )

    def least(self, predicted: Iterable[float]) -> float:
        """Return what must be there for all of some labels to be ordered, base units.

        Parameters
        ----------
        predicted : core-seconds of each to reckon with.
        """
        price = self.fidelity.price
        return sum(price.value * (1.0 if price.declared else self._margin * one) for one in predicted)

    def order(self, frame_id: str, predicted: float, free: float, left: int) -> Order | None:
        """Return an order that costs no more than `free`; None where the label would cost more.

        Parameters
        ----------
        predicted : core-seconds to reckon with, NaN = unknown.
        free : what is neither spent nor reserved.
        left : labels still to be ordered, this one included.
        """
        price, limit = self.fidelity.price, self.fidelity.time_limit
        known = None if isnan(predicted) else predicted
        cost = price.value if price.per == "label" else price.value * (known or 0.0)
        slack = 0.0 if self.budget is None else self.budget.total * TOLERANCE
        if price.declared or self.budget is None:
            return Order(frame_id, cost, known, limit) if cost == 0 or cost <= free + slack else None
        most = price.value * self.fidelity.threads * (inf if limit is None else limit)
        least = min(self._margin * cost, most)
        if free <= 0 or least > free + slack:
            return None
        together = GROUP_SECONDS / known if known else 1.0
        slots = self.workers * min(max(together, 1.0), BATCH_SIZE)
        ceiling = min(most, max(least, cost + (free - cost) / min(2 * slots, left)))
        seconds = ceiling / price.value * (OVERHEAD if ceiling == most else 1.0)
        if known is not None and known < QUICK:
            seconds = max(seconds, QUICK_LIMIT)
        return Order(frame_id, ceiling, known, *self._limits(seconds))

    def _limits(self, seconds: float) -> tuple[float | None, float | None]:
        """Return limits of wall time (s) and of core-seconds for a label that may take so many."""
        own = self.fidelity.time_limit
        if self.fidelity.price.per == "allocated-second":
            paid = seconds / self.fidelity.threads
            return (paid if own is None else min(own, paid)), None
        return patience(self.fidelity, seconds), seconds
