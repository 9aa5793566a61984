"""Orders fit the budget together, whatever becomes of each."""

from pathlib import Path

import numpy as np
import pytest
from toy_labels import Spring

from fidsel.fidelity import Budget, Fidelity, LabelStore, Price
from fidsel.fidelity.buying.reservations import Reservations

HOUR = Budget(3600.0, "core-second")


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path / "labels.db")


@pytest.mark.parametrize("predicted", [1e-4, 0.3, 10.0, np.nan])
def test_all_labels_in_flight_have_room(store: LabelStore, predicted: float) -> None:
    with store:
        level = Fidelity("spring", Spring(), Price(2.0), threads=2)
        offers = Reservations(level, HOUR, 8, store)
        free, together = HOUR.total, 8 * (500 if predicted < 0.01 else 4 if predicted < 1 else 1)
        for _ in range(together):
            order = offers.order("frame", predicted, free, left=10**6)
            assert order is not None
            assert order.cpu_limit is not None
            assert order.cpu_limit == pytest.approx(max(order.cost / 2.0, 2.0 if predicted < 0.2 else 0.0))
            assert order.cost > (0 if np.isnan(predicted) else 2 * predicted)
            free -= order.cost
        assert free > 0.5 * (HOUR.total - together * 2 * np.nan_to_num(predicted))


def test_the_last_label_may_take_all_that_is_left(store: LabelStore) -> None:
    with store:
        order = Reservations(Fidelity("spring", Spring(), Price()), HOUR, 8, store).order(
            "frame", 5.0, 40.0, left=1
        )
        assert order is not None
        assert (order.cost, order.cpu_limit, order.time_limit) == (40.0, 40.0, 800.0)


def test_own_time_limit_bounds_what_is_reserved(store: LabelStore) -> None:
    with store:
        level = Fidelity("spring", Spring(), Price(), time_limit=20.0)
        order = Reservations(level, HOUR, 2, store).order("frame", 5.0, 3600.0, left=100)
        assert order is not None
        assert (order.cost, order.cpu_limit, order.time_limit) == (20.0, 21.0, 20.0)


def test_allocated_time_is_limited_by_the_wall(store: LabelStore) -> None:
    with store:
        level = Fidelity("spring", Spring(), Price(2.0, "allocated-second"), threads=4)
        order = Reservations(level, HOUR, 1, store).order("frame", 5.0, 40.0, left=1)
        assert order is not None
        assert (order.cost, order.cpu_limit, order.time_limit) == (40.0, None, 5.0)


@pytest.mark.parametrize(
    ("price", "free", "cost"),
    [
        (Price(3.0, "label"), 3.0, 3.0),
        (Price(3.0, "label"), 2.9, None),
        (Price(0.0), -1.0, 0.0),
        (Price(1.0), 7.4, None),
        (Price(1.0), 7.5, 7.5),
        (Price(1.0), 0.0, None),
    ],
)
def test_what_the_budget_cannot_pay_for_is_refused(
    store: LabelStore, price: Price, free: float, cost: float | None
) -> None:
    with store:
        order = Reservations(Fidelity("spring", Spring(seconds=None), price), HOUR, 2, store).order(
            "frame", 5.0, free, left=9
        )
        assert (order and order.cost) == cost


def test_labels_so_far_predict_the_next(store: LabelStore) -> None:
    with store:
        offers = Reservations(Fidelity("spring", Spring(), Price()), HOUR, 2, store)
        assert np.isnan(offers.seconds(np.nan))
        offers.learn(2.0)
        offers.learn(4.0)
        assert offers.seconds(np.nan) == 3.0
        assert offers.seconds(7.0) == 7.0
