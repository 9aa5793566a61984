"""`buy`: labels for frames, within a budget, never the same label twice."""

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.budget import Budget, counted
from fidsel.fidelity.buying.asking import ask
from fidsel.fidelity.buying.buyer import Buyer
from fidsel.fidelity.buying.late import Late, Quorum
from fidsel.fidelity.buying.outcome import PurchaseEvent
from fidsel.fidelity.buying.reservations import Reservations
from fidsel.fidelity.engine.task import Engine, InlineEngine
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import Coverage
from fidsel.fidelity.store.labels import LabelStore
from fidsel.fidelity.store.ledger import Ledger


@dataclass(frozen=True)
class Purchase:
    """What a purchase brought.

    Parameters
    ----------
    ids_done : labelled now, in the order of the frames asked for (as all ids below).
    ids_failed : failed, crashed or timed out, now or before, or with a label that is set aside.
    ids_owned : labelled before.
    ids_refused : left out because the budget could not pay for them, or stopped by its end.
    stopped : why the budget paid for no label though it was not spent; "" where that is not so.
    cost : charged to the account, in base units, labels shared from another arm included.
    seconds : core-seconds of the labels bought now.
    ids_late : left to a later purchase (see `close_at`).
    ids_awaited : that other people have to bring before the purchase can close.
    """

    ids_done: tuple[str, ...]
    ids_failed: tuple[str, ...]
    ids_owned: tuple[str, ...]
    ids_refused: tuple[str, ...]
    cost: float
    seconds: float
    stopped: str = ""
    ids_late: tuple[str, ...] = ()
    ids_awaited: tuple[str, ...] = ()


def buy(
    store: LabelStore,
    engine: Engine,
    fidelity: Fidelity,
    frames: Frames,
    account: str,
    *,
    budget: Budget | None = None,
    predicted_seconds: FloatArray | None = None,
    stop_on_refusal: bool = True,
    on_event: Callable[[PurchaseEvent], None] | None = None,
    late: Late | None = None,
    close_at: float = 1.0,
) -> Purchase:
    """Label frames in their order until the budget refuses one; return what was done.

    Owned labels are not bought again, frames that failed before are not tried again. What another arm
    has paid for is written to this account's ledger at the same price (see `Ledger.share`).

    With a price per label the budget is never passed; with a price per second by no more than the engine
    takes to stop a label, since what each may take is what the budget can pay for (see `Reservations`,
    also on very short labels). A label stopped by such a limit, earlier than its fidelity's own, is tried
    again where the budget pays for three times as much, else it counts as refused. A refusal is final only
    when nothing is in flight, of no purchase: refunds are spent on what was refused before.

    A label whose process died, or whose program or licence was missing, is tried a second time. Where the
    first labels of a level, or many in a row, fail alike, the purchase stops (see `breaker`).

    Labels are stored as they arrive, also on the way out of an exception such as KeyboardInterrupt;
    what was in flight then is closed as cancelled.

    Labels of a level that other people compute are asked for and not waited for (see `ask`): the purchase
    closes where it is made again after they have been imported.

    With `close_at` q < 1, n being the frames asked for, the purchase closes once all labels are given out
    and ⌈q·n⌉ frames have ended, in a label or without one. Those under way go on in their workers (where
    the engine is `Lasting`) and belong to `late`. With a price per label, which costs what it says however
    long labels take, it is the first ⌈q·n⌉ frames, in their order, that must have ended, and all others
    count as late also where they have come: what is late then does not depend on time.

    Parameters
    ----------
    engine : runs the labels, unless the source is a mere look-up (`in_process = True`).
    frames : what to label, most wanted first; repeated ones count once.
    account : who pays, a name of `budget.COUNTED` or `budget.BESIDE`.
    budget : what may be spent; None = no bound. Accounts beside the budget are never refused.
    predicted_seconds : (n_frames,) core-seconds each label is expected to take, NaN = unknown; None =
        the mean of the labels so far.
    stop_on_refusal : stop at the first frame the budget refuses; False = go on with cheaper ones.
    on_event : called for each label that ended, once it is stored.
    late : labels that earlier purchases have left: those that have come are stored, those of these frames
        and this account become part of this purchase, and those for another account are waited for.
    close_at : fraction in (0, 1] of the frames that the purchase waits for; below 1 it needs `late`.

    Raises
    ------
    UsageError
        where the arguments do not fit, or a frame is under way (see `Ledger.recover`).
    RepeatedFailureError
        where labels fail alike one after the other; those frames are tried again in a later purchase.
    StoreError
        where the store cannot be written; labels stored before are kept.
    """
    ids = tuple(dict.fromkeys(frames.ids))
    quorum = Quorum.of(fidelity, ids, close_at)
    if late is None and close_at < 1:
        raise UsageError(f"close_at = {close_at} leaves labels under way: give `late`, which gets them")
    predicted = _predictions(frames, predicted_seconds)
    bounded = budget if counted(account) else None
    store.add_frames(frames)
    ledger = Ledger(store)
    late = Late(ledger, engine) if late is None else late
    late.collect()
    mine = late.frames(fidelity, account)
    late.wait(fidelity, set(ids) - mine)
    owned = set(store.label_ids(fidelity, ids))
    failed = set(store.failed_ids(fidelity, ids))
    failed -= _covered_now(fidelity, frames, failed)
    failed.update(store.aside_ids(fidelity, ids))
    known = owned | failed
    shares = ledger.share(account, fidelity, [i for i in ids if i in known], bounded)
    refused = {frame_id for frame_id, cost in shares.items() if cost is None}
    run = InlineEngine() if getattr(fidelity.source, "in_process", False) else engine
    offers = Reservations(fidelity, bounded, run.workers, store)
    wanted = [i for i in ids if i not in known and i not in mine]
    under_way: set[str] = set()
    if fidelity.outside:
        refused.update(ask(ledger, offers, account, wanted, stop_on_refusal))
        wanted, under_way = [], {one.frame_id for one in ledger.awaited(fidelity.key)}.intersection(ids)
    buyer = Buyer(
        ledger, run, offers, frames, account=account, predicted=predicted, late=late, quorum=quorum,
        stop_on_refusal=stop_on_refusal, on_event=on_event,
    )  # fmt: skip
    buyer.buy(wanted)
    under_way.update(late.frames(fidelity, account).intersection(ids))

    def among(*some: set[str]) -> tuple[str, ...]:
        chosen = set().union(*some)
        return tuple(frame_id for frame_id in ids if frame_id in chosen)

    return Purchase(
        ids_done=among(buyer.done),
        ids_failed=among(buyer.failed, failed - refused),
        ids_owned=among(owned - refused),
        ids_refused=among(buyer.refused, refused),
        cost=buyer.cost + fsum(cost for cost in shares.values() if cost),
        seconds=buyer.seconds,
        stopped=buyer.stopped,
        ids_late=among(quorum.late(ids, under_way, buyer.refused | refused)),
        ids_awaited=() if not fidelity.outside or quorum.met(under_way) else among(under_way),
    )


def _covered_now(fidelity: Fidelity, frames: Frames, failed: set[str]) -> set[str]:
    """Return the frames that failed and that a source such as a table, which may grow, has now."""
    rows = [i for i, frame_id in enumerate(frames.ids) if frame_id in failed]
    if not rows or not isinstance(fidelity.source, Coverage):
        return set()
    return {frames.ids[i] for i, covered in zip(rows, fidelity.covers(frames[rows]), strict=True) if covered}


def _predictions(frames: Frames, seconds: FloatArray | None) -> dict[str, float]:
    """Return the predicted core-seconds of each frame, NaN where unknown."""
    if seconds is None:
        return dict.fromkeys(frames.ids, np.nan)
    if np.shape(seconds) != (len(frames),) or (np.asarray(seconds) < 0).any():
        raise UsageError(
            f"predicted_seconds must be ({len(frames)},) numbers ≥ 0, or NaN for unknown, got {seconds!r}"
        )
    return dict(zip(frames.ids, np.asarray(seconds, dtype=np.float64).tolist(), strict=True))
