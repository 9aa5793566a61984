import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.selector import Pool
from fidsel.selector.pickers.free_rows import free_rows, per_cost


@given(seed=st.integers(0, 10_000), levels=st.integers(1, 5), width=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_one_of_equal_rows_is_fresh(seed: int, levels: int, width: int) -> None:
    """The one of highest preference, none that a labelled row equals; 0.0 and -0.0 are equal."""
    rng = np.random.default_rng(seed)
    n = 40
    features = (
        rng.integers(0, levels, (n, width)) * rng.choice([-1.0, 1.0], (n, 1)) * (rng.random((n, 1)) < 0.7)
    )
    labelled, preference = rng.random(n) < 0.1, rng.permutation(n).astype(float)
    nothing = np.zeros(n)
    pool = Pool(features, nothing.astype(int), nothing, nothing, np.ones((n, 1)), labelled)
    found = free_rows(pool, 0, preference)
    taken = {tuple(features[row]) for row in np.flatnonzero(labelled)}
    best: dict[tuple[float, ...], int] = {}
    for row in np.argsort(-preference):
        if tuple(features[row]) not in taken:
            best.setdefault(tuple(features[row]), int(row))
    assert found.fresh.tolist() == sorted(best.values())
    assert sorted([*found.fresh, *found.repeats]) == np.flatnonzero(~labelled).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_go_to_the_lowest_row(dtype: type) -> None:
    features = np.array([[1, 2], [1, 2], [3, 4], [1, 2], [3, 4]], dtype=dtype)
    nothing = np.zeros(5)
    pool = Pool(features, nothing.astype(int), nothing, nothing, np.ones((5, 1)), nothing.astype(bool))
    found = free_rows(pool, 2, nothing)
    assert found.fresh.tolist() == [0, 2]
    assert found.repeats.tolist() == [1, 3, 4]
    assert free_rows(pool, 2, np.array([0.0, 1.0, 0.0, 1.0, 2.0])).fresh.tolist() == [1, 4]


def test_errors_per_cost_are_in_units_of_the_dearest_frame() -> None:
    pool = Pool.of([[0.0], [1.0], [2.0]], [0.2, 0.2, 0.6], costs=[[0.0, 1.0], [1.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(per_cost(pool).errors, [0.8, 0.4, 0.6])


@pytest.mark.parametrize("costs", [0.3, 7.0, 1e-9, [1.0, 2.0, np.nan], [1.0, 2.0, 0.0]])
def test_costs_that_are_equal_unknown_or_nothing_change_nothing(costs: float | list[float]) -> None:
    pool = Pool.of([[0.0], [1.0], [2.0]], [0.2, 0.3, 0.6], costs=costs)
    assert per_cost(pool) is pool
