"""Labels that other people compute: money is kept for each that the budget pays for, until they bring it."""

from collections.abc import Sequence
from math import inf, nan

from fidsel.fidelity.attempt import Order
from fidsel.fidelity.buying.reservations import BATCH_SIZE, Reservations
from fidsel.fidelity.store.ledger import Ledger


def ask(
    ledger: Ledger, offers: Reservations, account: str, ids: Sequence[str], stop_on_refusal: bool
) -> tuple[str, ...]:
    """Reserve the declared price of labels, in their order, and return the frames that the budget refuses.

    Frames that are asked for already, for whatever account, are passed over.

    Parameters
    ----------
    offers : what the budget allows at the level.
    account : who pays.
    ids : frames without a label.
    stop_on_refusal : ask for none that follows the first frame the budget refuses.
    """
    asked = {attempt.frame_id for attempt in ledger.awaited(offers.fidelity.key)}
    waiting = [frame for frame in ids if frame not in asked]
    free = inf if offers.budget is None else ledger.remaining(offers.budget)
    orders: list[Order] = []
    for frame in waiting:
        order = offers.order(frame, nan, free, 1)
        if order is not None:
            orders.append(order)
            free -= order.cost
        elif stop_on_refusal:
            break
    for start in range(0, len(orders), BATCH_SIZE):
        ledger.reserve(account, offers.fidelity, orders[start : start + BATCH_SIZE], offers.budget)
    ordered = {order.frame_id for order in orders}
    return tuple(frame for frame in waiting if frame not in ordered)
