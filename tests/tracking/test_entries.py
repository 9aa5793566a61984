from itertools import pairwise

import pytest

from fidsel.campaign.selection.settings import SelectionRound
from fidsel.tracking.entries import (
    LONGEST,
    POINTS,
    Point,
    parameters,
    safe_names,
    selection_points,
    stage_points,
    without_passwords,
)
from fidsel.training.evaluate import Metrics


@pytest.mark.parametrize("count", [0, 1, 2, 199, 200, 201, 5000])
def test_loss_curves_are_thinned_and_keep_their_ends(count: int) -> None:
    steps = [10 * (i + 1) for i in range(count)]
    losses = [1.0 / step for step in steps]
    history = {"step": steps, "train": losses, "validation": losses, "best_step": 10, "seconds": 1.5}
    for name in ("loss/train", "loss/validation"):
        points = [point for point in stage_points(history) if point.name == name]
        assert len(points) == min(count, POINTS)
        assert all(type(point.step) is int and point.value == 1.0 / point.step for point in points)
        assert all(a.step < b.step for a, b in pairwise(points))
        if points:
            assert (points[0].step, points[-1].step) == (steps[0], steps[-1])


def test_different_names_stay_different() -> None:
    names = ["ccsd(t)", "ccsd[t]", "ccsd_t_", "ω"]
    safe = safe_names(names)
    assert len(set(safe.values())) == len(names)
    assert all(c.isascii() and (c.isalnum() or c in "-_. ") for name in safe.values() for c in name)


def test_parameters_are_flat_short_and_without_passwords() -> None:
    found = parameters(
        {"a": {"b": [1, 2], "rows": [{"c": None}]}, "long": "x" * 9000, "uri": "http://ada:secret@host/x"}
    )
    assert found["a.b"] == "[1, 2]"
    assert found["a.rows.0.c"] == "null"
    assert len(found["long"]) == LONGEST
    assert found["uri"] == "http://…@host/x"
    assert without_passwords("sqlite:////home/ada@lab/mlflow.db") == "sqlite:////home/ada@lab/mlflow.db"


def test_names_of_errors_say_their_unit() -> None:
    energies = Metrics(5, None, None, 0.0021, worst=0.003)
    found = {point.name: point for point in selection_points(SelectionRound(2, (), (), 20, energies))}
    assert found["energy MAE meV"] == Point("energy MAE meV", 2.1, 2)
    assert found["test/worst meV"].value == 3.0
    forces = Metrics(5, 0.0123456789, None, 0.002, p99=0.1)
    found = {point.name: point for point in selection_points(SelectionRound(2, (), (), 20, forces))}
    assert found["force MAE meV per Å"].value == 12.346  # digits that a table has room for
    assert (found["test/energy MAE meV"].value, found["test/p99 meV per Å"].value) == (2.0, 100.0)
    assert found["spent"].value == 20
