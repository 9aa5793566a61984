"""Every label is paid once; what is spent is what the lines say."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from toy_labels import Spring, springs

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import (
    Attempt,
    Budget,
    BudgetError,
    Fidelity,
    InlineEngine,
    Label,
    LabelError,
    LabelStore,
    Ledger,
    Order,
    Price,
    buy,
)
from fidsel.fidelity.source import Cause
from fidsel.fidelity.store import labels as store_labels
from fidsel.fidelity.store import ledger as store_ledger
from fidsel.fidelity.store.failures import failed_frames, retry

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
    assert ledger.settle_all([(attempt, label(seconds=3.0))]) == 1.5
    assert (ledger.reserved(), ledger.spent(), ledger.remaining(TEN)) == (0.0, 1.5, 8.5)
    line = ledger.lines()[0]
    assert (line.account, line.kind, line.amount, line.seconds) == ("train", "label", 1.5, 3.0)
    assert (line.frame_id, line.key) == (IDS[0], MEASURED.key)


def test_refusal_says_what_is_left_and_opens_nothing(ledger: Ledger) -> None:
    ledger.settle_all([(opened(ledger, DECLARED), label(1.0))])
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
    ledger.settle_all([(opened(ledger, DECLARED, cost=1000.0, account="test"), label(1.0))])
    ledger.charge("training", 500.0, "round 1", seconds=500.0)
    assert (ledger.spent(), ledger.reserved(), ledger.remaining(TEN)) == (0.0, 0.0, 10.0)
    assert (ledger.spent("test"), ledger.spent("training"), ledger.paid()) == (2.0, 500.0, 502.0)
    assert ledger.accounts() == {"test": 2.0, "training": 500.0}


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("failed", "failed"), ("unconverged", "failed"), ("memory", "failed"),
        ("timeout", "timeout"), ("crashed", "crashed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("fidelity", "cost"), [(DECLARED, 2.0), (MEASURED, 3.5)])
def test_failures_are_charged(
    ledger: Ledger, fidelity: Fidelity, cost: float, cause: Cause, kind: str
) -> None:
    assert ledger.settle_all([(opened(ledger, fidelity), LabelError("no", 7.0, cause))]) == cost
    assert ledger.spent() == cost
    assert ledger.lines()[0].kind == kind
    assert ledger.store.failed_ids(fidelity) == IDS[:1]
    assert [(f.cause, f.error, f.cost) for f in failed_frames(ledger.store, fidelity)] == [
        (cause, "no", cost)
    ]


@pytest.mark.parametrize("cause", ["environment", "refused", "invalid"])
@pytest.mark.parametrize(("fidelity", "cost"), [(DECLARED, 0.0), (MEASURED, 3.5)])
def test_what_computes_nothing_is_not_billed_by_the_label(
    ledger: Ledger, fidelity: Fidelity, cost: float, cause: Cause
) -> None:
    assert ledger.settle_all([(opened(ledger, fidelity), LabelError("no", 7.0, cause))]) == cost
    assert ledger.spent() == cost


def test_a_missing_program_is_not_held_against_the_frame(ledger: Ledger) -> None:
    ledger.settle_all([(opened(ledger, MEASURED), LabelError("no licence", 0.1, "environment"))])
    assert ledger.store.failed_ids(MEASURED) == ()
    assert [(f.cause, f.again) for f in failed_frames(ledger.store, MEASURED)] == [("environment", True)]
    ledger.settle_all([(opened(ledger, MEASURED), label(1.0))])
    assert failed_frames(ledger.store, MEASURED) == ()


def test_failures_are_tried_again_when_asked(ledger: Ledger) -> None:
    for row, cause in enumerate(("unconverged", "timeout", "unconverged")):
        ledger.settle_all([(opened(ledger, MEASURED, row), LabelError(f"no {row}", 1.0, cause))])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown cause 'unconvergd', did you mean 'unconverged'"):
        retry(ledger.store, [MEASURED], "unconvergd")
    assert retry(ledger.store, [MEASURED, DECLARED], "unconverged") == 2
    assert ledger.store.failed_ids(MEASURED) == IDS[1:2]
    assert retry(ledger.store, [MEASURED]) == 1
    assert retry(ledger.store, [MEASURED]) == 0
    ledger.settle_all([(opened(ledger, MEASURED), LabelError("no 0", 2.0, "unconverged"))])
    failure = failed_frames(ledger.store, MEASURED)[0]
    assert (failure.frame_id, failure.tries, failure.cost, failure.again) == (IDS[0], 2, 1.5, False)
    assert retry(ledger.store, [MEASURED]) == 1
    assert ledger.store.failed_ids(MEASURED) == ()


def test_what_a_breaker_forgives_it_forgives_once(ledger: Ledger) -> None:
    for expected in (1, 0):
        attempt = opened(ledger, MEASURED)
        ledger.settle_all([(attempt, LabelError("no", 1.0))])
        assert ledger.try_again([attempt.id]) == expected
    assert ledger.store.failed_ids(MEASURED) == IDS[:1]


def test_released_attempts_cost_nothing(ledger: Ledger) -> None:
    ledger.release([opened(ledger, MEASURED)])
    assert (ledger.spent(), ledger.reserved(), ledger.lines()) == (0.0, 0.0, ())
    opened(ledger, MEASURED)


@pytest.mark.parametrize(("fidelity", "cost"), [(DECLARED, 0.0), (MEASURED, 0.5 * 12.0)])
def test_a_dead_drivers_attempts(ledger: Ledger, fidelity: Fidelity, cost: float) -> None:
    attempt = opened(ledger, fidelity)
    assert ledger.recover({attempt.id: 12.0}) == IDS[:1]
    assert ledger.spent() == pytest.approx(cost)
    assert [line.kind for line in ledger.lines()] == ["lost"]
    assert ledger.recover({attempt.id: 99.0}) == ()
    assert ledger.store.failed_ids(fidelity) == ()
    assert ledger.store.statistics(fidelity).lost == 1
    ledger.settle_all([(opened(ledger, fidelity), label(1.0))])
    assert ledger.store.label_ids(fidelity) == IDS[:1]


def test_what_was_never_seen_running_costs_nothing(ledger: Ledger) -> None:
    """Neither when it was reserved nor what the clocks show now matters."""
    seen, unseen = ledger.reserve("train", MEASURED, [Order(name, 1.0) for name in IDS[:2]], TEN)
    ledger.store.connection.execute("UPDATE attempts SET started = started - 1e6")
    ledger.recover({seen.id: 3.0, unseen.id + 7: 50.0})
    assert [(line.kind, line.amount, line.seconds) for line in ledger.lines()] == [
        ("lost", 1.5, 3.0),
        ("lost", 0.0, 0.0),
    ]


def test_stopped_attempts_cost_what_they_used(ledger: Ledger) -> None:
    begun, waiting = ledger.reserve("train", MEASURED, [Order(name, 2.0) for name in IDS[:2]], TEN)
    assert ledger.cancel([begun, waiting], {begun.id: 1.0}) == 0.5
    assert [line.amount for line in ledger.lines()] == [0.5, 0.0]
    assert ledger.store.failed_ids(MEASURED) == ()


def test_nothing_is_labelled_or_settled_twice(ledger: Ledger) -> None:
    attempt = opened(ledger, DECLARED)
    with pytest.raises(UsageError, match="not under way at declared"):
        opened(ledger, DECLARED)
    ledger.settle_all([(attempt, label(1.0))])
    with pytest.raises(FidselError, match="1 of 1 attempts were closed before"):
        ledger.settle_all([(attempt, label(1.0))])
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
    ledger.settle_all([(opened(ledger, MEASURED, account="control"), label(4.0))])
    ledger.settle_all([(opened(ledger, MEASURED, 1, account="control"), LabelError("no", 6.0))])
    assert ledger.share("train", MEASURED, IDS[:3], TEN) == {IDS[0]: 2.0, IDS[1]: 3.0, IDS[2]: 0.0}
    assert (ledger.spent(), ledger.spent("control"), ledger.paid()) == (5.0, 5.0, 5.0)
    for account in ("train", "pilot", "control"):  # the arm has paid its share
        assert set(ledger.share(account, MEASURED, IDS[:2], TEN).values()) == {0.0}
    assert ledger.share("test", MEASURED, IDS[:2]) == {IDS[0]: 2.0, IDS[1]: 3.0}
    assert [line.kind for line in ledger.lines("test")] == ["shared", "shared"]
    assert ledger.paid() == 5.0


def test_sharing_respects_the_budget(ledger: Ledger) -> None:
    for row in range(7):
        ledger.settle_all([(opened(ledger, DECLARED, row, account="test"), label(1.0))])
    costs = ledger.share("train", DECLARED, IDS[:7], TEN)
    assert list(costs.values()) == [2.0] * 5 + [None] * 2
    assert ledger.remaining(TEN) == 0


def test_free_labels_are_bought_past_the_budget(ledger: Ledger) -> None:
    """Where the budget was passed, or lowered, labels that cost nothing still come."""
    free = Fidelity("free", Spring(k=3.0), Price(0.0))
    ledger.settle_all([(opened(ledger, DECLARED), label(1.0))])
    small = Budget(1.0, "label")
    assert ledger.remaining(small) < 0
    (attempt,) = ledger.reserve("train", free, [Order(IDS[1], 0.0)], small)
    ledger.settle_all([(attempt, label(1.0))])
    assert ledger.share("control", free, IDS[1:2], small) == {IDS[1]: 0.0}


@pytest.mark.parametrize("many", [0, 10**6])
def test_purchases_of_few_and_of_many_frames_look_things_up_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Each asks the store for its own frames, or for all there are: owned, aside, paid by another arm."""
    for module in (store_labels, store_ledger):
        monkeypatch.setattr(module, "MANY", many)
    frames, level = FRAMES[:5], DECLARED
    with LabelStore(tmp_path / "labels.db") as store:
        assert store.add_frames(frames[:4]) == 4
        assert store.add_frames(frames) == 1
        book = Ledger(store)
        buy(store, InlineEngine(), level, frames[:2], "train")
        buy(store, InlineEngine(), level, frames[1:4], "test")
        assert book.accounts() == {"train": 4.0, "test": 6.0}
        store.judge(level, {frames.ids[0]: "absurd"})
        asked = frames.ids[::-1]
        assert store.label_ids(level, asked) == (frames.ids[3], frames.ids[2], frames.ids[1])
        assert store.aside_ids(level, asked) == store.failed_ids(level, asked) == frames.ids[:1]
        costs = dict(zip(frames.ids, [0.0, 0.0, 2.0, 2.0], strict=False))
        assert book.share("train", level, frames.ids[:4]) == costs
        assert book.share("train", level, frames.ids[:4]) == dict.fromkeys(frames.ids[:4], 0.0)
