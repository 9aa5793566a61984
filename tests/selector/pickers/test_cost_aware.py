from dataclasses import replace

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import ClusterError, CostAware, FarthestPoint, Greedy, Picker, Pool, needs_errors
from fidsel.testing.picker import example_pool

RNG = np.random.default_rng(0)


def pool_with(costs: list[list[float]], errors: list[float]) -> Pool:
    n = len(errors)
    features = np.arange(n, dtype=float)[:, None]
    return Pool(features, np.zeros(n, int), np.array(errors), np.zeros(n), np.array(costs), np.zeros(n, bool))


@pytest.mark.parametrize("inner", [ClusterError(), Greedy(), FarthestPoint()])
def test_equal_costs_leave_the_pickers_own_picks(inner: Picker) -> None:
    pool = replace(example_pool(), costs=np.full((60, 2), 3.0))
    theirs = inner.pick(pool, 8, np.random.default_rng(0))
    ours = CostAware(inner, (0.1, 1.0)).pick(pool, 8, np.random.default_rng(0))
    assert ours.indices.tolist() == theirs.indices.tolist()
    assert set(ours.fidelity) == {1}


def test_gain_per_cost_decides() -> None:
    """Utilities at the fidelities: 0.1·e/1 and 1·e/k."""
    pool = pool_with([[1, 4], [1, 20], [1, 5], [1, 100]], [0.4, 0.8, 0.3, 0.9])
    picks = CostAware(Greedy(), (0.1, 1.0), breadth=4, value="error").pick(pool, 4, RNG)
    assert picks.indices.tolist() == [0, 3, 1, 2]
    assert picks.fidelity.tolist() == [1, 0, 0, 1]
    assert picks.reason[0].endswith("; at level 2 of 2, cost 4: gain 1 × value 0.4")
    assert picks.reason[1].endswith("; at level 1 of 2, cost 1: gain 0.1 × value 0.9")


def test_utility_against_brute_force() -> None:
    rng = np.random.default_rng(1)
    pool = example_pool()
    pool = replace(pool, costs=rng.uniform(0.5, 5.0, (60, 3)))
    gains = np.array([0.2, 0.0, 1.0])
    picks = CostAware(Greedy(), gains.tolist(), breadth=100, value="error").pick(pool, 12, rng)
    utility = np.where(pool.labelled[:, None], -1, pool.errors[:, None] * gains / pool.costs)
    best = np.argsort(-utility.max(axis=1))[:12]
    assert picks.indices.tolist() == best.tolist()
    assert picks.fidelity.tolist() == utility[best].argmax(axis=1).tolist()


def test_labels_that_cost_nothing_come_first() -> None:
    pool = pool_with([[1, 1], [1, 0], [0, 0], [0, 5], [0, 9]], [0.9, 0.1, 0.2, 0.3, 0.8])
    picks = CostAware(Greedy(), (0.5, 1.0), breadth=5, value="error").pick(pool, 5, RNG)
    assert picks.indices.tolist() == [4, 2, 3, 1, 0]
    assert picks.fidelity.tolist() == [0, 1, 0, 1, 1]


def test_dear_frames_wait() -> None:
    pool = example_pool()
    costs = np.where(pool.clusters[:, None] == 2, 1000.0, 1.0)
    picks = CostAware(FarthestPoint(), (1.0,)).pick(replace(pool, costs=costs), 8, RNG)
    assert 2 not in picks.cluster
    assert set(FarthestPoint().pick(pool, 8, RNG).cluster) >= {2}


def test_shortlist_is_made_without_costs() -> None:
    class Thrifty:
        def pick(self, pool: Pool, n: int, rng: np.random.Generator):  # type: ignore[no-untyped-def]
            assert np.isnan(pool.costs).all()
            return Greedy().pick(pool, n, rng)

    assert len(CostAware(Thrifty(), (0.1, 1.0)).pick(example_pool(), 3, RNG)) == 3


def test_errors_are_needed_where_picker_or_value_needs_them() -> None:
    assert not needs_errors(CostAware(FarthestPoint(), (1.0,)))
    assert needs_errors(CostAware(FarthestPoint(), (1.0,), value="error"))
    assert needs_errors(CostAware(Greedy(), (1.0,)))
    blank = replace(example_pool(), errors=np.full(60, np.nan))
    assert len(CostAware(FarthestPoint(), (1.0, 2.0)).pick(blank, 3, RNG)) == 3
    with pytest.raises(UsageError, match="value by error needs the error of every unlabelled frame"):
        CostAware(FarthestPoint(), (1.0, 2.0), value="error").pick(blank, 3, RNG)


def test_settings_and_costs_are_checked() -> None:
    for gains in ((), (0.0, 0.0), (-1.0, 1.0), (np.nan, 1.0)):
        with pytest.raises(UsageError, match="gains must be one number ≥ 0 per fidelity"):
            CostAware(Greedy(), gains)
    with pytest.raises(UsageError, match="breadth must be a number ≥ 1"):
        CostAware(Greedy(), (1.0,), breadth=0.5)
    with pytest.raises(UsageError, match="did you mean 'place'"):
        CostAware(Greedy(), (1.0,), value="plac")  # type: ignore[arg-type]
    pool = example_pool()
    with pytest.raises(UsageError, match="each of the pool's 2 fidelities, got 1"):
        CostAware(Greedy(), (1.0,)).pick(pool, 3, RNG)
    for bad in (-1.0, np.nan):
        costs = pool.costs.copy()
        costs[np.flatnonzero(~pool.labelled)[0], 0] = bad
        with pytest.raises(UsageError, match=r"must be finite and ≥ 0 \(0 for labels already owned\)"):
            CostAware(Greedy(), (0.1, 1.0)).pick(replace(pool, costs=costs), 3, RNG)
        assert len(CostAware(Greedy(), (0.0, 1.0)).pick(replace(pool, costs=costs), 3, RNG)) == 3
