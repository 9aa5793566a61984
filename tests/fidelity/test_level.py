"""A level of theory says which configurations it can label."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from toy_labels import Spring, springs

from fidsel.arrays import BoolArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError
from fidsel.fidelity import Fidelity, Price


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
