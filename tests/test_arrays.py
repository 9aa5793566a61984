from dataclasses import dataclass

import numpy as np

from fidsel.arrays import FloatArray, shown


@dataclass(frozen=True)
class Curve:
    values: FloatArray
    steps: tuple[int, ...]
    name: str = "loss"

    __repr__ = shown


def test_arrays_are_shown_by_shape_and_long_sequences_by_length() -> None:
    assert repr(Curve(np.zeros((400, 3)), (1, 2))) == "Curve(values (400, 3), steps=(1, 2), name='loss')"
    assert (
        repr(Curve(np.zeros(0), tuple(range(200)), "mae")) == "Curve(values (0,), steps of 200, name='mae')"
    )
