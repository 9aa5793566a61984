from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_labels import Spring, springs

from fidsel.exceptions import UsageError
from fidsel.fidelity import Cause, Fidelity, Label, LabelError, LabelStore, Ledger, Order, Price
from fidsel.fidelity.store.failures import failed_frames, retry, with_failures

LEVEL = Fidelity("spring", Spring(), Price(2.0, "label"))
FRAMES = springs([1.0, 2.0, 3.0])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(FRAMES)
        yield Ledger(store)


def attempted(ledger: Ledger, row: int, result: Label | LabelError) -> None:
    (attempt,) = ledger.reserve("train", LEVEL, [Order(FRAMES.ids[row], 2.0)])
    ledger.settle_all([(attempt, result)])


def failure(cause: Cause = "unconverged") -> LabelError:
    return LabelError(f"it is {cause}", 1.0, cause)


def test_frames_come_in_order_with_their_last_failure_and_all_they_cost(ledger: Ledger) -> None:
    attempted(ledger, 2, failure("crashed"))
    attempted(ledger, 0, failure())
    attempted(ledger, 0, failure("timeout"))
    found = failed_frames(ledger.store, LEVEL)
    assert [(one.frame_id, one.cause, one.cost, one.tries) for one in found] == [
        (FRAMES.ids[0], "timeout", 4.0, 2), (FRAMES.ids[2], "crashed", 2.0, 1),
    ]  # fmt: skip
    attempted(ledger, 0, Label(1.0, None))
    assert [one.frame_id for one in failed_frames(ledger.store, LEVEL)] == [FRAMES.ids[2]]


def test_labels_that_are_set_aside_count_as_failed(ledger: Ledger) -> None:
    attempted(ledger, 1, Label(1.0, None))
    assert failed_frames(ledger.store, LEVEL) == ()
    ledger.store.judge(LEVEL, {FRAMES.ids[1]: "the energy is absurd"})
    (found,) = failed_frames(ledger.store, LEVEL)
    assert (found.error, found.tries, found.again) == ("the energy is absurd", 0, False)


def test_a_person_lets_frames_be_tried_again(ledger: Ledger) -> None:
    attempted(ledger, 0, failure("memory"))
    attempted(ledger, 1, failure())
    assert retry(ledger.store, [LEVEL], "memory") == 1
    assert [one.again for one in failed_frames(ledger.store, LEVEL)] == [True, False]
    assert retry(ledger.store, [LEVEL]) == 1, "the other one: the first is waiting already"
    with pytest.raises(UsageError, match="unknown cause 'memroy', did you mean 'memory'"):
        retry(ledger.store, [LEVEL], "memroy")


def test_what_a_label_costs_in_the_end_includes_attempts_that_gave_none(ledger: Ledger) -> None:
    assert with_failures(ledger.store, LEVEL) == 1.0
    attempted(ledger, 0, Label(1.0, None))
    assert with_failures(ledger.store, LEVEL) == 1.0
    attempted(ledger, 1, failure())
    assert with_failures(ledger.store, LEVEL) == 2.0
    attempted(ledger, 1, Label(1.0, None))
    assert with_failures(ledger.store, LEVEL) == 1.5
    ledger.share("control", LEVEL, [FRAMES.ids[0]])
    assert with_failures(ledger.store, LEVEL) == 1.5, "a label that two arms use was paid for once"
    ledger.store.judge(LEVEL, {FRAMES.ids[0]: "the energy is absurd", FRAMES.ids[1]: None})
    assert with_failures(ledger.store, LEVEL) == 3.0
