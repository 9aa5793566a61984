from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, Sum, load


def fitted(seed: int) -> SGDML:
    return SGDML([10.0]).fit(frames(15, seed, level=f"l{seed}"), frames(0))[0]


def test_a_sum_adds_energies_constants_and_forces() -> None:
    a, b, test = fitted(0), fitted(1), frames(4, seed=3)
    both = Sum([a, b], "top").predict(test)
    assert both.energy == pytest.approx(a.predict(test).energy + b.predict(test).energy)
    assert both.forces == pytest.approx(a.predict(test).forces + b.predict(test).forces)
    assert both.energy.mean() == pytest.approx(-6000.0, abs=10.0)


def test_sums_nest_and_come_back_whole(tmp_path: Path) -> None:
    model = Sum([fitted(0), Sum([fitted(1), fitted(2)], "inner")], "outer")
    again = load(model.save(tmp_path))
    assert isinstance(again, Sum)
    assert isinstance(again.parts[1], Sum)
    assert [part.level for part in again.parts] == ["l0", "inner"]
    test = frames(3, seed=4)
    assert np.array_equal(again.predict(test).energy, model.predict(test).energy)
    assert np.array_equal(again.predict(test, "outer").forces, model.predict(test).forces)


def test_an_empty_sum_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        Sum([])
