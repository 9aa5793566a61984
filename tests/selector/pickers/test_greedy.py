from dataclasses import replace

import numpy as np

from fidsel.selector import Greedy
from fidsel.testing.picker import example_pool


def test_highest_errors_first() -> None:
    pool = replace(example_pool(), costs=np.ones((60, 1)))
    free = np.flatnonzero(~pool.labelled)
    picks = Greedy().pick(pool, 10, np.random.default_rng(0))
    assert picks.indices.tolist() == free[np.argsort(-pool.errors[free])][:10].tolist()
    error = f"error {1000 * pool.errors[picks.indices[2]]:.3g} meV/Å: number 3 of 54 by estimated error"
    assert error in picks.reason[2]


def test_where_costs_differ_highest_errors_per_cost_come_first() -> None:
    pool = example_pool()
    free = np.flatnonzero(~pool.labelled)
    per_cost = (pool.errors / pool.costs.sum(axis=1))[free]
    picks = Greedy().pick(pool, 10, np.random.default_rng(0))
    assert picks.indices.tolist() == free[np.argsort(-per_cost)][:10].tolist()
    error = (
        f"error {1000 * pool.errors[picks.indices[0]]:.3g} meV/Å: number 1 of 54 by estimated error per cost"
    )
    assert error in picks.reason[0]
