from dataclasses import dataclass

import numpy as np

from fidsel.arrays import FloatArray, html_table, shown


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


def test_cells_are_escaped_and_nothing_is_a_dash() -> None:
    shown = html_table("a & b", ("x", "<y>"), [(1, None), (0.123456, "<b>")], ["note & more"])
    assert shown == (
        "<table><caption>a &amp; b</caption><tr><th>x</th><th>&lt;y&gt;</th></tr>"
        "<tr><td>1</td><td>–</td></tr><tr><td>0.1235</td><td>&lt;b&gt;</td></tr></table>"
        "<ul><li>note &amp; more</li></ul>"
    )
