"""A level of theory says which configurations it can label."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from toy_labels import Spring, springs

from fidsel.arrays import BoolArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity import Fidelity, Price, Usage


@dataclass(frozen=True)
class Partial(Spring):
    """Springs of which some have no label; `answers` is what `covers` returns."""

    answers: tuple[bool, ...] = field(default=())

    def covers(self, frames: Frames) -> BoolArray:
        return np.array(self.answers) & (len(frames) > 0)


def test_a_source_that_does_not_say_can_label_all() -> None:
    assert Fidelity("spring", Spring(), Price()).covers(springs([1.0, 2.0])).tolist() == [True, True]


def test_a_source_that_says_is_believed() -> None:
    level = Fidelity("table", Partial(answers=(True, False)), Price())
    assert level.covers(springs([1.0, 2.0])).tolist() == [True, False]


def test_one_answer_per_frame() -> None:
    level = Fidelity("table", Partial(answers=(True,)), Price())
    with pytest.raises(FidselError, match=r"source of table must return .* per frame, \(2,\), got \(1,\)"):
        level.covers(springs([1.0, 2.0]))


LEVEL = Fidelity("spring", Spring(), Price(1.0, "label"))


def test_what_a_price_is_for() -> None:
    used = Usage(cpu=12.0, wall=5.0)
    assert Price(2.0, "label").cost(99.0) == 2.0
    assert Price(2.0).cost(Price(2.0).seconds(used, threads=4)) == 24.0
    assert Price(2.0, "allocated-second").seconds(used, threads=4) == 20.0
    assert Price(0.0).declared
    assert Price(3.0, "label").declared
    assert not Price(3.0).declared


@pytest.mark.parametrize(("options", "message"), [
    ({"value": -1.0}, "a price must be a number ≥ 0, got -1"),
    ({"value": float("nan")}, "a price must be a number ≥ 0"),
    ({"per": "hour"}, "a price is per 'label' or 'core-second' or 'allocated-second', got 'hour'"),
])  # fmt: skip
def test_prices_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Price(**options)


@pytest.mark.parametrize(("change", "message"), [
    ({"name": ""}, "needs a name"),
    ({"time_limit": 0.0}, "time_limit of spring must be positive seconds"),
    ({"threads": 0}, "threads of spring must be ≥ 1"),
    ({"memory_limit": 0}, "memory_limit of spring must be positive bytes"),
])  # fmt: skip
def test_fidelities_that_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(LEVEL, **change)


def test_the_key_is_of_what_changes_the_number() -> None:
    same = replace(LEVEL, name="other", price=Price(9.0), threads=3, time_limit=1.0)
    assert same.key == LEVEL.key
    assert replace(LEVEL, source=Spring(3.0)).key != LEVEL.key
    assert len(LEVEL.key) == 16
