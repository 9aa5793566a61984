"""Every label is paid once; what is spent is what the lines say."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import time

import numpy as np
import pytest
from toy_labels import Spring, springs

from fidsel.errors import FidselError, UsageError
from fidsel.fidelity import (
    Attempt,
    Budget,
    BudgetError,
    Fidelity,
    Label,
    LabelError,
    LabelStore,
    Ledger,
    Order,
    Price,
)

FRAMES = springs(range(1, 11))
IDS = FRAMES.ids
DECLARED = Fidelity("declared", Spring(k=1.0), Price(2.0, "label"))
MEASURED = Fidelity("measured", Spring(k=2.0), Price(0.5, "core-second"), threads=2)
TEN = Budget(10.0, "label")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(FRAMES)
        yield Ledger(store)


def label(seconds: float) -> Label:
    return Label(-1.0, np.ones((2, 3)), seconds)


def opened(
    ledger: Ledger, fidelity: Fidelity, row: int = 0, cost: float = 2.0, account: str = "train"
) -> Attempt:
    return ledger.reserve(account, fidelity, [Order(IDS[row], cost)], TEN)[0]


def test_reserve_measure_refund(ledger: Ledger) -> None:
    attempt = opened(ledger, MEASURED, cost=4.0)
    assert (ledger.reserved(), ledger.spent(), ledger.remaining(TEN)) == (4.0, 0.0, 6.0)
    assert ledger.settle(attempt, label(seconds=3.0)) == 1.5
    assert (ledger.reserved(), ledger.spent(), ledger.remaining(TEN)) == (0.0, 1.5, 8.5)
    line = ledger.lines()[0]
    assert (line.account, line.kind, line.amount, line.seconds) == ("train", "label", 1.5, 3.0)
    assert (line.frame_id, line.key) == (IDS[0], MEASURED.key)


def test_refusal_says_what_is_left_and_opens_nothing(ledger: Ledger) -> None:
    ledger.settle(opened(ledger, DECLARED), label(1.0))
    opened(ledger, DECLARED, 1)
    with pytest.raises(
        BudgetError, match=r"a cost of 8 labels would pass the budget: of 10 labels, 2 labels"
    ) as error:
        ledger.reserve("train", DECLARED, [Order(name, 2.0) for name in IDS[2:6]], TEN)
    facts = error.value
    assert (facts.spent, facts.reserved, facts.cost, facts.remaining) == (2.0, 2.0, 8.0, 6.0)
    assert len(ledger.under_way()) == 1
    ledger.reserve("train", DECLARED, [Order(name, 2.0) for name in IDS[2:5]], TEN)
    assert ledger.remaining(TEN) == 0


def test_accounts_beside_the_budget_are_never_refused(ledger: Ledger) -> None:
    ledger.settle(opened(ledger, DECLARED, cost=1000.0, account="test"), label(1.0))
    ledger.charge("training", 500.0, "round 1", seconds=500.0)
    assert (ledger.spent(), ledger.reserved(), ledger.remaining(TEN)) == (0.0, 0.0, 10.0)
    assert (ledger.spent("test"), ledger.spent("training"), ledger.paid()) == (2.0, 500.0, 502.0)
    assert ledger.accounts() == {"test": 2.0, "training": 500.0}


@pytest.mark.parametrize("kind", ["failed", "timeout", "crashed"])
@pytest.mark.parametrize(("fidelity", "cost"), [(DECLARED, 2.0), (MEASURED, 3.5)])
def test_failures_are_charged(ledger: Ledger, fidelity: Fidelity, cost: float, kind: str) -> None:
    assert ledger.fail(opened(ledger, fidelity), LabelError("no", 7.0, kind)) == cost
    assert ledger.spent() == cost
    assert ledger.lines()[0].kind == kind
    assert ledger.store.failed_ids(fidelity) == IDS[:1]


def test_released_attempts_cost_nothing(ledger: Ledger) -> None:
    ledger.release([opened(ledger, MEASURED)])
    assert (ledger.spent(), ledger.reserved(), ledger.lines()) == (0.0, 0.0, ())
    opened(ledger, MEASURED)


@pytest.mark.parametrize(("fidelity", "cost"), [(DECLARED, 0.0), (MEASURED, 0.5 * 2 * 6.0)])
def test_a_dead_drivers_attempts(ledger: Ledger, fidelity: Fidelity, cost: float) -> None:
    attempt = opened(ledger, fidelity)
    assert ledger.recover(heartbeat=attempt.started + 6.0) == IDS[:1]
    assert ledger.spent() == pytest.approx(cost)
    assert [line.kind for line in ledger.lines()] == ["lost"]
    assert ledger.recover(heartbeat=time()) == ()
    assert ledger.store.failed_ids(fidelity) == ()
    assert ledger.store.statistics(fidelity).lost == 1
    ledger.settle(opened(ledger, fidelity), label(1.0))
    assert ledger.store.label_ids(fidelity) == IDS[:1]


def test_lost_time_is_shared_and_limited(ledger: Ledger) -> None:
    together = ledger.reserve("train", MEASURED, [Order(name, 1.0) for name in IDS[:4]], TEN)
    limited = ledger.reserve("train", MEASURED, [Order(IDS[5], 1.0, time_limit=0.5)], TEN)[0]
    ledger.recover(heartbeat=together[0].started + 8.0)
    amounts = [line.amount for line in ledger.lines()]
    assert amounts[:4] == pytest.approx([0.5 * 2 * 8 / 4] * 4)
    assert amounts[4] == 0.5 * 2 * 0.5 == limited.charge("lost", limited.elapsed(limited.started + 8))


def test_without_a_heartbeat_the_last_change_counts(ledger: Ledger) -> None:
    attempt = opened(ledger, MEASURED)
    ledger.store.connection.execute("UPDATE attempts SET started = started - 100")
    later = opened(ledger, MEASURED, 1)
    ledger.recover()
    assert ledger.lines()[0].seconds == pytest.approx(2 * (later.started - attempt.started + 100))
    assert ledger.lines()[1].seconds == 0


def test_nothing_is_labelled_or_settled_twice(ledger: Ledger) -> None:
    attempt = opened(ledger, DECLARED)
    with pytest.raises(UsageError, match="not under way at declared"):
        opened(ledger, DECLARED)
    ledger.settle(attempt, label(1.0))
    with pytest.raises(FidselError, match="1 of 1 attempts were closed before"):
        ledger.settle(attempt, label(1.0))
    with pytest.raises(UsageError, match="is labelled at declared already"):
        opened(ledger, DECLARED)
    assert ledger.spent() == 2.0


def test_unknown_frames_and_accounts(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="frame absent must be in the store"):
        ledger.reserve("train", DECLARED, [Order("absent", 1.0)])
    with pytest.raises(UsageError, match="unknown account 'tests', did you mean 'test'"):
        opened(ledger, DECLARED, account="tests")
    with pytest.raises(UsageError, match="a charge is an amount ≥ 0"):
        ledger.charge("training", -1.0, "refund")


def test_lines_cannot_be_changed(ledger: Ledger) -> None:
    ledger.charge("training", 1.0, "round 1")
    for sql in ("UPDATE ledger SET amount = 0", "DELETE FROM ledger"):
        with pytest.raises(sqlite3.IntegrityError, match="the ledger is append-only"):
            ledger.store.connection.execute(sql)


def test_arms_pay_alike_for_what_they_share(ledger: Ledger) -> None:
    ledger.settle(opened(ledger, MEASURED, account="control"), label(4.0))
    ledger.fail(opened(ledger, MEASURED, 1, account="control"), LabelError("no", 6.0))
    assert ledger.share("train", MEASURED, IDS[:3], TEN) == {IDS[0]: 2.0, IDS[1]: 3.0, IDS[2]: 0.0}
    assert (ledger.spent(), ledger.spent("control"), ledger.paid()) == (5.0, 5.0, 5.0)
    for account in ("train", "pilot", "control"):  # the arm has paid its share
        assert set(ledger.share(account, MEASURED, IDS[:2], TEN).values()) == {0.0}
    assert ledger.share("test", MEASURED, IDS[:2]) == {IDS[0]: 2.0, IDS[1]: 3.0}
    assert [line.kind for line in ledger.lines("test")] == ["shared", "shared"]
    assert ledger.paid() == 5.0


def test_sharing_respects_the_budget(ledger: Ledger) -> None:
    for row in range(7):
        ledger.settle(opened(ledger, DECLARED, row, account="test"), label(1.0))
    costs = ledger.share("train", DECLARED, IDS[:7], TEN)
    assert list(costs.values()) == [2.0] * 5 + [None] * 2
    assert ledger.remaining(TEN) == 0
