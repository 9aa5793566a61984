from dataclasses import replace

import numpy as np
import pytest
from error_pools import big_pool, reveal

from fidsel.exceptions import UsageError
from fidsel.selector import Probe, cluster_errors, score
from fidsel.testing.picker import example_pool


def test_probes_are_shared_by_population_with_a_minimum() -> None:
    pool = big_pool()
    free = np.bincount(pool.clusters[~pool.labelled])
    rows = Probe(minimum=3).wants(pool, 200, np.random.default_rng(0))
    counts = np.bincount(pool.clusters[rows], minlength=10)
    assert counts.sum() == 200
    assert np.abs(counts - (3 + 170 * (free) / free.sum())).max() <= 1.5
    few = Probe(minimum=3).wants(pool, 10, np.random.default_rng(0))
    assert sorted(pool.clusters[few]) == list(range(10))
    assert len(Probe().wants(pool, 4, np.random.default_rng(0))) == 4
    assert len(Probe().wants(pool, 5000, np.random.default_rng(0))) == free.sum()


def test_probes_are_uniform_within_clusters() -> None:
    pool, rng = example_pool(), np.random.default_rng(0)
    counts = np.bincount(np.concatenate([Probe().wants(pool, 12, rng) for _ in range(3000)]), minlength=60)
    for c in range(4):
        own = counts[(pool.clusters == c) & ~pool.labelled]
        assert np.abs(own - own.mean()).max() < 5 * np.sqrt(own.mean())
    assert (counts[pool.labelled] == 0).all()


def test_probe_estimates_against_the_known_answer() -> None:
    pool = big_pool()
    rows = Probe(minimum=4).wants(pool, 150, np.random.default_rng(0))
    known = reveal(pool, rows)
    estimate = Probe(minimum=4).estimate(pool, known)
    np.testing.assert_array_equal(estimate[rows], pool.errors[rows])
    truth = cluster_errors(pool.clusters, pool.errors)
    hidden = np.isnan(known)
    for c in range(10):
        value = np.unique(estimate[hidden & (pool.clusters == c)])
        assert len(value) == 1
        assert value[0] == pytest.approx(truth.rmse_of(c), rel=0.35)
    found = score(estimate, np.where(hidden, pool.errors, np.nan), pool.clusters)
    assert found.cluster_rank is not None
    assert found.cluster_rank > 0.9


def test_probe_counts_known_rows_from_elsewhere_and_needs_some() -> None:
    pool = example_pool()
    known = reveal(pool, np.flatnonzero(pool.labelled))
    assert np.isfinite(Probe().estimate(pool, known)).all()
    with pytest.raises(UsageError, match="label the rows of wants"):
        Probe().estimate(pool, np.full(len(pool), np.nan))


def test_everything_labelled_wants_nothing() -> None:
    pool = replace(example_pool(), labelled=np.ones(60, dtype=bool))
    assert len(Probe().wants(pool, 10, np.random.default_rng(0))) == 0


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="minimum"):
        Probe(minimum=-1)
    with pytest.raises(UsageError, match="number of probes"):
        Probe().wants(example_pool(), -1, np.random.default_rng(0))
