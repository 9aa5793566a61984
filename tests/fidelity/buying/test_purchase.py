"""No purchase passes its budget, pays twice or loses a label, whatever the labels do."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_labels import ClockEngine, Spring, springs

from fidsel.exceptions import UsageError
from fidsel.fidelity import (
    Budget,
    Fidelity,
    InlineEngine,
    LabelError,
    LabelStore,
    Ledger,
    Order,
    Price,
    Purchase,
    PurchaseEvent,
    Task,
    buy,
)
from fidsel.fidelity.buying.breaker import RepeatedFailureError
from fidsel.fidelity.buying.buyer import BATCH_SIZE
from fidsel.fidelity.buying.reservations import MARGIN, QUICK_LIMIT
from fidsel.fidelity.engine.task import QUICK, Result, Usage
from fidsel.fidelity.store.failures import retry

MEASURED = Fidelity("spring", Spring(seconds=None), Price(1.0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


def declared(price: float) -> Fidelity:
    return Fidelity("spring", Spring(seconds=None), Price(price, "label"))


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_declared_prices_never_pass_the_budget(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    durations = st.lists(st.floats(-5, 5).filter(lambda x: abs(x) > 1e-3), max_size=8)
    budget = Budget(data.draw(st.floats(0.1, 20)), "label")
    with LabelStore(tmp_path_factory.mktemp("buy") / "labels.db") as store:
        ledger = Ledger(store)
        for _ in range(data.draw(st.integers(1, 4))):
            frames, level = (
                springs(data.draw(durations)),
                declared(data.draw(st.sampled_from([0.0, 0.1, 0.7, 3.0]))),
            )
            account = data.draw(st.sampled_from(["train", "validation", "test", "control"]))
            before, paid = ledger.spent(account), ledger.paid()
            tried = {line.frame_id for line in ledger.lines()}  # perhaps for another arm, at another price
            try:
                bought = buy(
                    store, ClockEngine(data.draw(st.integers(1, 4))), level, frames, account, budget=budget,
                    stop_on_refusal=data.draw(st.booleans()),
                )  # fmt: skip
            except RepeatedFailureError:
                assert ledger.spent() <= budget.total * (1 + 1e-9)
                assert ledger.under_way() == ()
                continue
            everything = bought.ids_done + bought.ids_failed + bought.ids_owned + bought.ids_refused
            assert sorted(everything) == sorted(set(frames.ids))
            assert ledger.spent(account) == pytest.approx(before + bought.cost)
            assert ledger.spent() <= budget.total * (1 + 1e-9)
            assert ledger.reserved() == 0
            assert ledger.spent() == pytest.approx(
                sum(line.amount for line in ledger.lines() if line.account in {"train", "validation"})
            )
            assert ledger.paid() - paid <= bought.cost + 1e-9
            if set(bought.ids_refused) - tried:
                assert budget.total - ledger.spent() < level.price.value
        labelled = [line.frame_id for line in ledger.lines() if line.kind == "label"]
        assert len(labelled) == len(set(labelled)) == len(store.label_ids(MEASURED))


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_measured_prices_pass_the_budget_by_the_kill_latency_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    durations = data.draw(
        st.lists(st.floats(-50, 50).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=12)
    )
    engine = ClockEngine(data.draw(st.integers(1, 4)), latency=data.draw(st.sampled_from([0.0, 0.5])))
    limit = data.draw(st.sampled_from([None, 10.0]))
    level = Fidelity("spring", Spring(seconds=None), Price(data.draw(st.sampled_from([0.3, 1.0]))), limit, 2)
    budget = Budget(data.draw(st.floats(1, 200)), "core-second")
    frames = springs(durations)
    guesses = np.abs(durations) * data.draw(st.sampled_from([0.0, 0.1, 1.0, 3.0, np.nan]))
    with LabelStore(tmp_path_factory.mktemp("buy") / "labels.db") as store:
        ledger = Ledger(store)
        late = engine.workers * engine.latency * level.price.value * level.threads
        # labels predicted, or learned, to be quick may take QUICK_LIMIT each, whatever is reserved
        quick = int((~(guesses >= QUICK)).sum()) * QUICK_LIMIT * level.price.value
        try:
            bought = buy(store, engine, level, frames, "train", budget=budget, predicted_seconds=guesses)
        except RepeatedFailureError:
            assert ledger.under_way() == ()
        else:
            assert ledger.spent() == pytest.approx(bought.cost)
            assert not set(store.failed_ids(level)) & set(bought.ids_refused)
        assert ledger.spent() <= budget.total * (1 + 1e-9) + late + quick
        assert ledger.reserved() == 0


def test_good_predictions_spend_the_budget(path: Path) -> None:
    """Refunds are spent: not much more than one label's worth is left, though far more was reserved."""
    durations = np.linspace(5.0, 15.0, 60)
    with LabelStore(path) as store:
        budget = Budget(300.0, "core-second")
        bought = buy(
            store,
            ClockEngine(4),
            MEASURED,
            springs(durations),
            "train",
            budget=budget,
            predicted_seconds=durations,
        )
        assert len(bought.ids_done) + len(bought.ids_refused) == 60
        count = len(bought.ids_done)
        assert bought.ids_done == springs(durations).ids[:count]
        assert bought.cost == pytest.approx(durations[:count].sum())
        assert 300 - MARGIN * durations[count] < bought.cost <= 300


def test_a_label_the_budget_cannot_pay_for_is_stopped_and_may_be_bought_again(path: Path) -> None:
    frames = springs([50.0])
    with LabelStore(path) as store:
        small = Budget(20.0, "core-second")
        bought = buy(
            store, ClockEngine(1), MEASURED, frames, "train", budget=small, predicted_seconds=np.array([8.0])
        )
        assert bought.ids_refused == frames.ids
        assert bought.cost == pytest.approx(20.0)
        assert bought.stopped.startswith("1 labels of spring were stopped at what the budget could pay for")
        line = Ledger(store).lines()[0]
        assert line.kind == "cancelled"
        assert line.note == "stopped after 20 core-s, which is what the budget could pay for"
        more = buy(store, ClockEngine(1), MEASURED, frames, "train", budget=Budget(100.0, "core-second"))
        assert more.ids_done == frames.ids


def test_no_label_is_begun_that_the_budget_is_likely_to_stop(path: Path) -> None:
    frames = springs([18.0])
    with LabelStore(path) as store:
        bought = buy(
            store, ClockEngine(1), MEASURED, frames, "train",
            budget=Budget(20.0, "core-second"), predicted_seconds=np.array([18.0]),
        )  # fmt: skip
        assert (bought.ids_refused, bought.cost, bought.stopped) == (frames.ids, 0.0, "")


def test_wrong_predictions_buy_fewer_labels_and_not_none(path: Path) -> None:
    """Ten labels of 50 s said to take 1 s, a budget for four: some are stopped, then one at a time."""
    frames = springs(50 + 0.01 * np.arange(10))
    with LabelStore(path) as store:
        bought = buy(
            store, ClockEngine(2), MEASURED, frames, "train",
            budget=Budget(200.0, "core-second"), predicted_seconds=np.ones(10),
        )  # fmt: skip
        assert len(bought.ids_done) >= 1
        assert bought.stopped == ""
        assert Ledger(store).spent() <= 200.0


def test_a_purchase_without_progress_ends(path: Path) -> None:
    """Hundreds of labels that the budget can pay for none of: not each is begun and stopped."""
    frames = springs(1000 + np.arange(400))
    with LabelStore(path) as store:
        bought = buy(
            store, ClockEngine(2), MEASURED, frames, "train",
            budget=Budget(480.0, "core-second"), predicted_seconds=np.ones(400),
        )  # fmt: skip
        assert bought.ids_refused == frames.ids
        assert "raise the budget, ask for fewer labels, or take a quicker level" in bought.stopped
        assert len(Ledger(store).lines()) <= 9


def test_own_time_limit_is_a_failure(path: Path) -> None:
    frames, level = (
        springs([50.0, 1.0]),
        Fidelity("spring", Spring(seconds=None), Price(1.0), time_limit=10.0),
    )
    with LabelStore(path) as store:
        bought = buy(store, ClockEngine(2), level, frames, "train", budget=Budget(100.0, "core-second"))
        assert (bought.ids_failed, bought.ids_done) == (frames.ids[:1], frames.ids[1:])
        assert bought.cost == 11.0


def test_owned_and_failed_frames(path: Path, tmp_path: Path) -> None:
    frames, calls = springs([1.0, -1.0, 2.0]), tmp_path / "calls"
    level = Fidelity("spring", Spring(calls=calls), Price(1.0, "label"))
    with LabelStore(path) as store:
        budget = Budget(100.0, "label")
        first = buy(store, InlineEngine(), level, frames + frames[:1], "pilot", budget=budget)
        assert (first.ids_done, first.ids_failed, first.cost) == (
            (frames.ids[0], frames.ids[2]),
            frames.ids[1:2],
            3.0,
        )
        again = buy(store, InlineEngine(), level, frames, "train", budget=budget)
        assert again == Purchase((), frames.ids[1:2], (frames.ids[0], frames.ids[2]), (), 0.0, 0.0)
        assert len(calls.read_text().split()) == 3
        assert retry(store, [level]) == 1
        tried = buy(store, InlineEngine(), level, frames, "train", budget=budget)
        assert (tried.ids_failed, tried.cost) == (frames.ids[1:2], 1.0)
        shared = buy(store, InlineEngine(), level, frames, "control")
        assert (shared.ids_owned, shared.ids_failed, shared.cost) == (again.ids_owned, frames.ids[1:2], 3.0)
        assert len(calls.read_text().split()) == 4
        assert Ledger(store).paid() == 4.0


def test_going_on_with_cheaper_ones(path: Path) -> None:
    durations = [4.0, 20.0, 3.0, 2.0]
    frames, guesses = springs(durations), np.array(durations)
    with LabelStore(path) as store:
        budget = Budget(10.0, "core-second")
        stopped = buy(
            store, ClockEngine(1), MEASURED, frames, "train", budget=budget, predicted_seconds=guesses
        )
        assert (stopped.ids_done, stopped.ids_refused) == (frames.ids[:1], frames.ids[1:])
        bought = buy(
            store, ClockEngine(1), MEASURED, frames, "train",
            budget=budget, predicted_seconds=guesses, stop_on_refusal=False,
        )  # fmt: skip
        assert (bought.ids_done, bought.ids_refused) == (frames.ids[2:], frames.ids[1:2])
        assert Ledger(store).spent() == 9.0


@dataclass(frozen=True)
class NoForces(Spring):
    """Declares forces and returns none."""

    def label(self, atoms):  # type: ignore[no-untyped-def]
        return Spring(forces=False).label(atoms)


def test_forces_declared_and_missing(path: Path) -> None:
    frames, level = springs([1.0]), Fidelity("bad", NoForces(k=9.0), Price())
    with LabelStore(path) as store:
        assert buy(store, InlineEngine(), level, frames, "train").ids_failed == frames.ids
        assert (
            "declares forces of shape (2, 3), the source returned none"
            in store.failures(level)[frames.ids[0]]
        )


def test_events_come_after_storing(path: Path) -> None:
    frames, seen = springs([1.0, -2.0, 3.0]), list[PurchaseEvent]()
    with LabelStore(path) as store:

        def note(event: PurchaseEvent) -> None:
            stored = store.label_ids(MEASURED) + store.failed_ids(MEASURED)
            assert event.frame_id in stored
            seen.append(event)

        buy(store, ClockEngine(1), MEASURED, frames, "train", on_event=note)
    assert [(event.frame_id, event.finished, event.total) for event in seen] == [
        (name, i + 1, 3) for i, name in enumerate(frames.ids)
    ]
    assert [event.error for event in seen] == [None, "did not converge", None]


@dataclass(frozen=True)
class Interrupted:
    """Gives some results, holds two tasks in flight of which one has begun, and is interrupted."""

    after: int
    workers: int = 2
    begun: dict[str, Usage] = field(default_factory=dict)

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        for count, result in enumerate(ClockEngine(1).run(tasks)):
            if count == self.after:
                self.begun[result[0].key] = Usage(cpu=0.25, wall=40.0)
                next(iter(tasks))
                raise KeyboardInterrupt
            yield result

    def running(self) -> Mapping[str, Usage]:
        return self.begun


def test_an_interrupt_charges_what_ran(path: Path) -> None:
    """Neither the label that waited nor the wall time of the one that had begun."""
    frames = springs(range(1, 51))
    level = Fidelity("spring", Spring(seconds=1.0), Price(1.0))
    with LabelStore(path) as store:
        with pytest.raises(KeyboardInterrupt):
            buy(store, Interrupted(7), level, frames, "train", budget=Budget(500.0, "core-second"))
        lines = Ledger(store).lines()
        assert [(x.kind, x.amount) for x in lines[7:]] == [("cancelled", 0.25), ("cancelled", 0.0)]
        assert Ledger(store).spent() == 7.25


@pytest.mark.parametrize("seconds", [0.0, 0.001, 1.0])
def test_interrupt_keeps_what_arrived(path: Path, seconds: float) -> None:
    frames = springs(range(1, 51))
    level = Fidelity("spring", Spring(seconds=seconds), Price(1.0, "label"))
    budget = Budget(50.0, "label")
    guesses = np.full(50, seconds)
    with LabelStore(path) as store:
        with pytest.raises(KeyboardInterrupt):
            buy(store, Interrupted(7), level, frames, "train", budget=budget, predicted_seconds=guesses)
        ledger = Ledger(store)
        assert len(store.label_ids(level)) == 7 == ledger.spent()
        assert ledger.under_way() == ()
        assert store.statistics(level).lost == 2
        again = buy(store, ClockEngine(), level, frames, "train", budget=budget)
        assert (len(again.ids_owned), len(again.ids_done), ledger.spent()) == (7, 43, 50.0)


def test_a_frame_under_way_is_not_bought_again(path: Path) -> None:
    frames, level = springs([1.0]), declared(1.0)
    with LabelStore(path) as store:
        store.add_frames(frames)
        Ledger(store).reserve("train", level, [Order(frames.ids[0], 1.0)])
        with pytest.raises(UsageError, match="close the attempts of a driver that died with `recover`"):
            buy(store, InlineEngine(), level, frames, "train")


def test_predictions_must_fit(path: Path) -> None:
    with LabelStore(path) as store, pytest.raises(UsageError, match=r"must be \(2,\) numbers ≥ 0"):
        buy(store, InlineEngine(), MEASURED, springs([1.0, 2.0]), "train", predicted_seconds=np.ones(3))


def test_quick_labels_are_stored_together(path: Path) -> None:
    """Fewer commits than labels, or a hundred thousand cheap labels would take hours."""
    frames = springs(np.arange(1, 2001) * 1e-6)
    commits = 0
    with LabelStore(path) as store:
        store.add_frames(frames)

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        store.connection.set_trace_callback(count)
        buy(store, ClockEngine(4), MEASURED, frames, "train", budget=Budget(3600.0, "core-second"))
        store.connection.set_trace_callback(None)
        assert len(store.label_ids(MEASURED)) == 2000
    assert commits < 2000 / BATCH_SIZE * 10 + 40


@pytest.mark.parametrize(("total", "price", "predicted", "order"), [
    (100.0, Price(1.0), [1, 3, 2, 3], [1, 3, 2, 0]),
    (10.0, Price(1.0), [1, 3, 2, 3], [0, 1, 2, 3]),  # 1.5 times 9 s are not there
    (4.0, Price(1.0, "label"), [1, 3, 2, 3], [1, 3, 2, 0]),
    (3.0, Price(1.0, "label"), [1, 3, 2, 3], [0, 1, 2]),
    (100.0, Price(1.0, "label"), [1, np.nan, 2, 3], [0, 1, 2, 3]),
])  # fmt: skip
def test_the_longest_labels_come_first_where_all_can_be_paid_for(
    path: Path, total: float, price: Price, predicted: list[float], order: list[int]
) -> None:
    frames = springs([1.0, 2.0, 3.0, 4.0])
    budget = Budget(total, "label" if price.per == "label" else "core-second")
    seen: list[str] = []
    with LabelStore(path) as store:
        buy(
            store, InlineEngine(), Fidelity("spring", Spring(seconds=None), price), frames, "train",
            budget=budget, predicted_seconds=np.array(predicted),
            on_event=lambda event: seen.append(event.frame_id),
        )  # fmt: skip
    assert [frames.ids.index(frame) for frame in seen] == order


class Cutting(InlineEngine):
    """An engine whose blocks end under the first labels, as many as are said."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts
        self.pulled: list[str] = []

    def run(self, tasks: Iterable[Task]) -> Generator[Result, None, None]:
        for task in tasks:
            self.pulled.append(task.frame_id)
            if len(self.pulled) <= self.cuts:
                yield task, LabelError("its block ended", cause="cancelled"), Usage(cpu=1.0)
            else:
                yield task, task.source.label(task.atoms), Usage(cpu=1.0)


def test_what_a_block_cut_off_is_begun_again_at_once(path: Path) -> None:
    frames, engine = springs([1.0, 2.0, 3.0]), Cutting(1)
    with LabelStore(path) as store:
        bought = buy(store, engine, MEASURED, frames, "train")
        assert Ledger(store).spent() == 4.0
    assert bought.ids_done == frames.ids
    assert engine.pulled == [frames.ids[0], *frames.ids]


def test_what_is_always_cut_off_is_given_up(path: Path) -> None:
    frames, engine = springs([1.0, 2.0]), Cutting(10**6)
    with LabelStore(path) as store:
        bought = buy(store, engine, MEASURED, frames, "train")
        assert Ledger(store).under_way() == ()
    assert bought.ids_refused == frames.ids
    assert len(engine.pulled) < 20
