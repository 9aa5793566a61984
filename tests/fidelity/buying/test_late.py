"""A purchase may close before its last labels: they go on, are stored when they come, and are paid once."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer
from time import sleep

import numpy as np
import pytest
from gated_source import Gated
from toy_labels import ClockEngine, Spring, springs

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity import (
    Budget,
    Fidelity,
    LabelStore,
    Ledger,
    Order,
    Price,
    Purchase,
    Task,
    buy,
    open_store,
)
from fidsel.fidelity.buying.late import Late, Quorum
from fidsel.fidelity.engine.local import LocalEngine, available_cores
from fidsel.fidelity.engine.task import Lasting
from fidsel.fidelity.source import LabelError

TESTS = Path(__file__).parents[2]
FRAMES = springs([1.0, 2.0, 3.0, 4.0])
ONE, TWO, THREE, FOUR = FRAMES.ids
BUDGET = Budget(1000.0, "core-second")

pytestmark = pytest.mark.skipif(available_cores() < 2, reason="needs two workers")


class Shop:
    """A store, two workers, and levels whose labels can be held back."""

    def __init__(self, folder: Path, store: LabelStore, engine: LocalEngine, late: Late) -> None:
        self.folder, self.store, self.engine, self.late = folder, store, engine, late
        self.ledger = late.ledger
        self.measured = Fidelity("measured", Gated(folder), Price(1.0))
        self.declared = Fidelity("declared", Gated(folder), Price(1.0, "label"))
        self.other = Fidelity("other", Gated(folder, "other"), Price(1.0, "label"))

    def hold(self, *firsts: int) -> None:
        for first in firsts:
            (self.folder / f"hold-{first}").touch()

    def release(self, first: int) -> None:
        (self.folder / f"hold-{first}").unlink()

    def buy(
        self, level: Fidelity, frames: Frames = FRAMES, close_at: float = 0.75, account: str = "train",
        then: Callable[[str], None] = lambda _: None,
    ) -> Purchase:  # fmt: skip
        return buy(
            self.store, self.engine, level, frames, account, budget=BUDGET, late=self.late,
            close_at=close_at, on_event=lambda event: then(event.frame_id),
        )  # fmt: skip

    def arrived(self) -> None:
        """Wait until what a late label has told is there to be read."""
        wait_until(lambda: any(w.busy and w.connection.poll() for w in self.engine._workers))

    def kinds(self, frame: str) -> list[str]:
        return [line.kind for line in self.ledger.lines() if line.frame_id == frame]

    def calls(self) -> Counter[str]:
        return Counter((self.folder / "calls").read_text().split())


def wait_until(true: Callable[[], bool]) -> None:
    while not true():
        sleep(0.01)


@pytest.fixture
def shop(tmp_path: Path, workers: LocalEngine) -> Iterator[Shop]:
    with LabelStore(tmp_path / "labels.db") as store, Late(Ledger(store), workers) as late:
        yield Shop(tmp_path, store, workers, late)
        for hold in tmp_path.glob("hold-*"):
            hold.unlink()


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalEngine]:
    with LocalEngine(2) as engine:
        yield engine


def test_a_purchase_closes_before_a_slow_label_and_the_next_one_stores_it(shop: Shop) -> None:
    shop.hold(2)
    bought = shop.buy(shop.measured)
    assert set(bought.ids_done) == {ONE, THREE, FOUR}
    assert bought.ids_late == (TWO,)
    assert (bought.ids_failed, bought.ids_refused) == ((), ())
    (attempt,) = shop.ledger.under_way()
    assert attempt.frame_id == TWO
    wait_until(lambda: shop.late.usage().get(attempt.id, 0.0) >= 0.05)  # what a heartbeat writes down
    assert shop.late.frames(shop.measured) == {TWO}

    shop.release(2)
    shop.arrived()
    assert shop.buy(shop.other, FRAMES[:1], account="validation").ids_done == (ONE,)
    assert shop.store.label_ids(shop.measured, FRAMES.ids) == FRAMES.ids
    assert shop.late.came() == {shop.measured.key}
    assert (len(shop.late), shop.ledger.under_way(), shop.store.usage()) == (0, (), {})
    assert shop.kinds(TWO) == ["label"]
    assert shop.ledger.lines("train")[-1].amount >= 0.05
    assert shop.buy(shop.measured).ids_owned == FRAMES.ids
    assert max(shop.calls().values()) == 1


def test_what_is_kept_for_late_labels_is_waited_for_where_it_pays_for_others(shop: Shop) -> None:
    """Most of a budget may be kept for one label: what that leaves is no refusal of the next level."""
    shop.hold(4)
    budget, second = (
        Budget(100.0, "core-second"),
        Fidelity("second", Gated(shop.folder, "second"), Price(1.0)),
    )

    def buy_at(level: Fidelity, first: float, close_at: float) -> Purchase:
        frames = springs([first, first + 1, first + 2, 4.0][: 4 if level is shop.measured else 3])
        known = np.full(len(frames), 0.2)
        return buy(
            shop.store, shop.engine, level, frames, "train", budget=budget, late=shop.late,
            close_at=close_at, predicted_seconds=known,
        )  # fmt: skip

    assert buy_at(shop.measured, 1.0, 0.75).ids_late == (FOUR,)
    shop.ledger.charge("train", shop.ledger.remaining(budget), "training")
    assert shop.ledger.reserved() > 10.0, "the late label holds what others need"
    opened = Timer(0.3, shop.release, [4])
    opened.start()
    bought = buy_at(second, 7.0, 1.0)
    opened.join()
    assert (len(bought.ids_done), bought.ids_refused) == (3, ())
    assert shop.store.label_ids(shop.measured, (FOUR,)) == (FOUR,)
    assert shop.ledger.spent() <= budget.total


def test_a_late_label_that_would_not_pay_for_others_is_not_waited_for(shop: Shop) -> None:
    shop.hold(2)
    assert shop.buy(shop.measured).ids_late == (TWO,)
    dear = Fidelity("dear", Gated(shop.folder, "dear"), Price(2 * BUDGET.total, "label"))
    assert shop.buy(dear, FRAMES[:1], close_at=1.0).ids_refused == (ONE,)
    assert shop.late.frames(shop.measured) == {TWO}


def test_a_purchase_of_the_same_frames_takes_late_ones_over(shop: Shop) -> None:
    shop.hold(1)
    assert shop.buy(shop.measured).ids_late == (ONE,)
    more = springs([5.0, 6.0])

    def release(frame: str) -> None:
        if frame == more.ids[1]:
            shop.release(1)

    bought = shop.buy(shop.measured, FRAMES + more, close_at=1.0, then=release)
    assert set(bought.ids_done) == {ONE, *more.ids}
    assert bought.ids_late == ()
    assert shop.kinds(ONE) == ["label"]
    assert max(shop.calls().values()) == 1


def test_with_declared_prices_the_last_frames_are_late_whatever_comes_first(shop: Shop) -> None:
    shop.hold(1)
    came = set[str]()

    def note(frame: str) -> None:
        came.add(frame)
        if came == {TWO, THREE, FOUR}:
            shop.release(1)

    bought = shop.buy(shop.declared, then=note)
    assert bought.ids_done == FRAMES.ids  # it waited for the first, and the last has come meanwhile
    assert bought.ids_late == (FOUR,)


def test_with_declared_prices_the_last_frames_are_not_waited_for(shop: Shop) -> None:
    shop.hold(4)
    bought = shop.buy(shop.declared)
    assert bought.ids_done == (ONE, TWO, THREE)
    assert bought.ids_late == (FOUR,)
    assert (shop.ledger.spent(), shop.ledger.expected()) == (3.0, 1.0)


def test_a_last_label_leaves_the_only_worker_busy(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store, LocalEngine(1) as engine:
        with Late(Ledger(store), engine) as late:
            shop = Shop(tmp_path, store, engine, late)
            shop.hold(4)
            assert shop.buy(shop.measured).ids_late == (FOUR,)
            shop.release(4)
        assert store.label_ids(shop.measured, FRAMES.ids) == FRAMES.ids  # waited for on the way out


def test_late_labels_of_another_account_are_waited_for_and_shared(shop: Shop) -> None:
    shop.hold(4)
    shop.buy(shop.declared)
    shop.release(4)
    bought = shop.buy(shop.declared, FRAMES[3:], account="control", close_at=1.0)
    assert bought.ids_owned == (FOUR,)
    assert shop.kinds(FOUR) == ["label", "shared"]


def test_a_late_label_whose_worker_dies_is_tried_again(shop: Shop) -> None:
    shop.hold(2)
    (shop.folder / "die-2").touch()
    assert shop.buy(shop.measured).ids_late == (TWO,)
    shop.release(2)
    wait_until(lambda: not (shop.folder / "die-2").exists())
    shop.arrived()
    shop.late.collect()
    assert shop.kinds(TWO) == ["crashed"]
    assert shop.store.failed_ids(shop.measured) == ()
    assert shop.buy(shop.measured, close_at=1.0).ids_done == (TWO,)


def test_a_late_label_taken_over_is_tried_again_at_once(shop: Shop) -> None:
    shop.hold(2)
    (shop.folder / "die-2").touch()
    assert shop.buy(shop.measured).ids_late == (TWO,)
    shop.release(2)
    assert shop.buy(shop.measured, close_at=1.0).ids_done == (TWO,)
    assert shop.kinds(TWO) == ["crashed", "label"]


def test_an_interrupt_stores_what_has_come_and_charges_what_the_rest_used(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store, LocalEngine(2) as engine:
        ledger = Ledger(store)
        late = Late(ledger, engine)
        shop = Shop(tmp_path, store, engine, late)
        with pytest.raises(KeyboardInterrupt), late:
            interrupted(shop)
        assert shop.kinds(THREE) == ["label"]
        assert shop.kinds(FOUR) == ["cancelled"]
        assert ledger.lines()[-1].amount >= 0.05
        assert (ledger.under_way(), ledger.reserved()) == ((), 0.0)
    shop.release(4)
    with LabelStore(tmp_path / "labels.db") as store, LocalEngine(1) as engine:
        assert buy(store, engine, shop.measured, FRAMES, "train").ids_done == (FOUR,)


def interrupted(shop: Shop) -> None:
    """Leave two labels, one of which comes before the interrupt."""
    shop.hold(3, 4)
    assert shop.buy(shop.measured, close_at=0.5).ids_late == (THREE, FOUR)
    shop.release(3)
    shop.arrived()
    wait_until((shop.folder / "begun-4").exists)
    raise KeyboardInterrupt


DRIVER = """
import sys
from pathlib import Path
from time import sleep
from fidelity.buying.test_late import FRAMES, Shop
from fidsel.fidelity import Ledger, open_store
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.buying.late import Late

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with open_store(folder / "labels.db") as (store, lock), LocalEngine(2) as engine:
        with Late(Ledger(store), engine) as late:
            shop = Shop(folder, store, engine, late)
            shop.hold(2)
            print(*shop.buy(shop.measured).ids_late, flush=True)
            while not (folder / "begun-2").exists():
                sleep(0.01)
            lock.beat()
            print("beat", flush=True)
            sleep(1000)
"""


def test_a_driver_that_is_killed_leaves_late_labels_to_be_bought_again(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        cwd=TESTS, env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline().split() == [TWO]
    assert child.stdout.readline() == "beat\n"
    child.kill()
    child.communicate()
    (tmp_path / "hold-2").unlink()
    with open_store(tmp_path / "labels.db") as (store, _), LocalEngine(2) as engine:
        with Late(Ledger(store), engine) as late:
            shop = Shop(tmp_path, store, engine, late)
            assert shop.kinds(TWO) == ["lost"]
            assert shop.ledger.lines()[-1].amount >= 0.05
            assert shop.buy(shop.measured, close_at=1.0).ids_done == (TWO,)
        assert store.label_ids(shop.measured, FRAMES.ids) == FRAMES.ids


def test_without_it_a_purchase_waits_for_all(shop: Shop) -> None:
    shop.hold(2)
    came = set[str]()

    def note(frame: str) -> None:
        came.add(frame)
        if came == {ONE, THREE, FOUR}:
            shop.release(2)

    bought = shop.buy(shop.measured, close_at=1.0, then=note)
    assert (bought.ids_done, bought.ids_late) == (FRAMES.ids, ())


def test_other_engines_wait_for_all(tmp_path: Path) -> None:
    level = Fidelity("spring", Spring(seconds=None), Price(1.0))
    with LabelStore(tmp_path / "labels.db") as store:
        engine = ClockEngine(2)
        assert not isinstance(engine, Lasting)
        with Late(Ledger(store), engine) as late:
            bought = buy(store, engine, level, springs([9.0, 1.0, 2.0]), "train", late=late, close_at=0.1)
            assert (len(bought.ids_done), bought.ids_late, len(late)) == (3, (), 0)


def test_what_is_under_way_is_expected_to_cost_what_was_predicted(tmp_path: Path) -> None:
    """And no more than is reserved; what is reserved where nothing is predicted; the price of a label."""
    timed = Fidelity("spring", Spring(1.0), Price(2.0))
    each = Fidelity("spring", Spring(3.0), Price(2.0, "label"))
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_frames(FRAMES)
        ledger = Ledger(store)
        assert ledger.expected() == 0.0
        ledger.reserve("train", timed, [Order(ONE, 50.0, 3.0), Order(TWO, 5.0, 4.0), Order(THREE, 7.0)])
        assert ledger.expected() == 2.0 * 3.0 + 5.0 + 7.0
        ledger.reserve("train", each, [Order(ONE, 2.0, 9.0), Order(TWO, 2.0)])
        ledger.reserve("control", each, [Order(THREE, 2.0)])  # beside the budget
        assert ledger.expected() == 18.0 + 4.0


def test_misuse_is_told(tmp_path: Path) -> None:
    level = Fidelity("spring", Spring(), Price(1.0))
    with LabelStore(tmp_path / "labels.db") as store:
        with pytest.raises(UsageError, match="give `late`"):
            buy(store, ClockEngine(2), level, FRAMES, "train", close_at=0.9)
        for wrong in (0.0, -1.0, 1.1, float("nan")):
            with pytest.raises(UsageError, match="close_at is a fraction"):
                buy(store, ClockEngine(2), level, FRAMES, "train", close_at=wrong)


@pytest.mark.parametrize(("close_at", "n", "late"), [(0.95, 40, 2), (0.95, 10, 0), (0.9, 10, 1), (1.0, 7, 0)])
@pytest.mark.parametrize("per", ["label", "core-second"])
def test_a_quorum_leaves_out_whole_labels(close_at: float, n: int, late: int, per: str) -> None:
    ids = [str(i) for i in range(n)]
    quorum = Quorum.of(Fidelity("spring", Spring(), Price(1.0, per)), ids, close_at)  # type: ignore[arg-type]
    assert quorum.met(ids[n - late :])
    assert not quorum.met(ids[n - late - 1 :])
    assert quorum.met(ids[:late]) == (per == "core-second" or late == 0)


def tasks(shop: Shop, *firsts: int, predicted: float | None = None, limit: float | None = None) -> list[Task]:
    frames = springs([float(first) for first in firsts])
    source = shop.measured.source
    return [Task(f"{n}", frames[i], source, limit, predicted) for i, n in enumerate(firsts)]


def left(shop: Shop, some: list[Task]) -> Iterator[Task]:
    """Give tasks and leave them; as a purchase does, before a worker is free to ask for more."""
    yield from some[:-1]
    shop.engine.leave()
    yield some[-1]


def test_limits_hold_between_runs(tmp_path: Path) -> None:
    """A group is left whole; what a label that is stopped had before it goes to another worker."""
    with LabelStore(tmp_path / "labels.db") as store, LocalEngine(2) as engine:
        shop = Shop(tmp_path, store, engine, Late(Ledger(store), engine))
        shop.hold(1)
        some = [*tasks(shop, 1, predicted=0.01, limit=1.0), *tasks(shop, 2, predicted=0.01)]
        assert list(engine.run(left(shop, some))) == []
        shop.arrived()
        found = {task.frame_id: outcome for task, outcome, _ in engine.rest()}
        assert isinstance(found["1"], LabelError)
        assert found["1"].cause == "timeout"
        assert set(found) == {"1", "2"}


def test_an_end_of_a_run_ends_its_own_tasks_alone(shop: Shop) -> None:
    shop.hold(1, 2)
    assert list(shop.engine.run(left(shop, tasks(shop, 1)))) == []
    with closing(shop.engine.run([*tasks(shop, 3), *tasks(shop, 2)])) as results:
        assert next(results)[0].frame_id == "3"
        with pytest.raises(UsageError, match="already running"):
            next(shop.engine.rest())
    wait_until(lambda: "1" in shop.engine.running())
    assert list(shop.engine.run(())) == []  # does not wait
    assert set(shop.engine.running()) == {"1"}
    shop.release(1)
    assert [task.frame_id for task, _, _ in shop.engine.rest()] == ["1"]
    assert shop.engine.running() == {}


def test_workers_that_are_all_busy_with_what_was_left_are_waited_for_by_what_is_new(
    shop: Shop,
) -> None:
    shop.hold(1, 2)
    assert list(shop.engine.run(left(shop, tasks(shop, 1, 2)))) == []
    assert list(shop.engine.run(())) == []
    (shop.folder / "hold-1").rename(shop.folder / "was-1")
    assert [task.frame_id for task, _, _ in shop.engine.run(tasks(shop, 3))] == ["1", "3"]
    shop.release(2)
    assert [task.frame_id for task, _, _ in shop.engine.rest()] == ["2"]
