from pathlib import Path

import numpy as np
import pytest

from fidsel.data import Frames
from fidsel.fidelity import Budget, Fidelity, InlineEngine, LabelStore, Ledger, Price, buy
from fidsel.fidelity.buying.asking import ask
from fidsel.fidelity.buying.late import Late
from fidsel.fidelity.buying.reservations import Reservations
from fidsel.fidelity.source import Label
from fidsel.fidelity.sources.inbox import InboxSource
from fidsel.fidelity.store.lock import open_store

LEVEL = Fidelity("hf", InboxSource("hf", "sto-3g"), Price(2.0, "label"))
FRAMES = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.7 + 0.1 * i]] for i in range(5)])
BUDGET = Budget(7.0, "label")
LABEL = Label(-1.0, np.zeros((2, 3)))


def test_what_the_budget_pays_for_is_asked_once(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(FRAMES)
        ledger, offers = Ledger(store), Reservations(LEVEL, BUDGET, 1, store)
        assert ask(ledger, offers, "train", FRAMES.ids, True) == FRAMES.ids[3:]
        assert ask(ledger, offers, "test", FRAMES.ids[:3], True) == ()
        assert [one.frame_id for one in ledger.awaited()] == list(FRAMES.ids[:3])
        assert (ledger.spent(), ledger.reserved(), ledger.expected()) == (0.0, 6.0, 6.0)
        free = Reservations(LEVEL, None, 1, store)
        assert ask(ledger, free, "test", FRAMES.ids, True) == ()


def test_a_purchase_closes_once_they_are_brought(tmp_path: Path) -> None:
    """They outlast their drivers, and are paid by the account that asked for them."""
    with open_store(tmp_path / "labels.db") as (store, _):
        bought = buy(store, InlineEngine(), LEVEL, FRAMES[:3], "train", budget=BUDGET)
        assert bought.ids_awaited == FRAMES.ids[:3]
    with open_store(tmp_path / "labels.db") as (store, _):
        ledger = Ledger(store)
        assert (ledger.under_way(), len(ledger.awaited(LEVEL.key))) == ((), 3)
        ledger.settle_all((one, LABEL) for one in ledger.awaited()[:2])
        bought = buy(store, InlineEngine(), LEVEL, FRAMES[:3], "train", budget=BUDGET)
        assert (bought.ids_owned, bought.ids_awaited) == (FRAMES.ids[:2], FRAMES.ids[2:3])
        ledger.settle_all((one, LABEL) for one in ledger.awaited())
        bought = buy(store, InlineEngine(), LEVEL, FRAMES[:3], "train", budget=BUDGET)
        assert (bought.ids_owned, bought.ids_awaited, bought.cost) == (FRAMES.ids[:3], (), 0.0)
        assert ledger.accounts() == {"train": 6.0}


@pytest.mark.parametrize(("close_at", "awaited", "late"), [(1.0, 4, 0), (0.5, 4, 2), (0.2, 0, 4)])
def test_the_last_ones_may_be_late(tmp_path: Path, close_at: float, awaited: int, late: int) -> None:
    """The first frame is there, four are awaited: a round that needs one of five does not wait."""
    with LabelStore(tmp_path / "labels.db") as store:
        ledger, engine = Ledger(store), InlineEngine()
        buy(store, engine, LEVEL, FRAMES[:1], "train")
        ledger.settle_all((one, LABEL) for one in ledger.awaited())
        found = buy(store, engine, LEVEL, FRAMES, "train", late=Late(ledger, engine), close_at=close_at)
    assert (len(found.ids_awaited), len(found.ids_late)) == (awaited, late)
