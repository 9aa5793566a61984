"""Scales of a chart and their ticks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.report.axes import Axes, Scale

NUMBERS = st.floats(1e-6, 1e6)


@given(low=NUMBERS, ratio=st.floats(1.01, 1e7), log=st.booleans())
@settings(max_examples=100, deadline=None)
def test_ticks_are_round_even_and_neither_few_nor_many(low: float, ratio: float, log: bool) -> None:
    scale = Scale(low, low * ratio, log)
    ticks = np.array(scale.ticks())
    assert 3 <= len(ticks) <= 11
    assert (ticks >= low * (1 - 1e-9)).all()
    assert (ticks <= low * ratio * (1 + 1e-9)).all()
    assert (np.diff(ticks) > 0).all()
    if not log:
        step = np.diff(ticks)
        assert step == pytest.approx(step[0])
        assert f"{step[0]:.0e}"[0] in "125"


def test_shares() -> None:
    assert Scale(2.0, 4.0).share([2.0, 3.0, 4.0]).tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_allclose(Scale(1.0, 100.0, log=True).share([1.0, 10.0, 100.0]), [0.0, 0.5, 1.0])


@pytest.mark.parametrize(("values", "log"), [([3.0], True), ([3.0], False), ([0.0], False), ([1, 50], True)])
def test_a_scale_around_values_has_room_for_them(values: list[float], log: bool) -> None:
    scale = Scale.around(values, log=log)
    assert scale.low < min(values) <= max(values) < scale.high


def test_values_are_placed_from_left_and_from_above() -> None:
    axes = Axes(10.0, 20.0, 110.0, 220.0, Scale(0.0, 1.0), Scale(0.0, 2.0))
    np.testing.assert_allclose(axes.place([0.0, 1.0], [0.0, 1.0]), [[10, 220], [110, 120]])
