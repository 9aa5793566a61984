from dataclasses import replace

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import Cheap, Committee, Pool, Probe, Reference, cluster_errors, score
from fidsel.testing.picker import example_pool


def big_pool(seed: int = 0) -> Pool:
    """2000 frames in 10 clusters from very good to very bad, their sizes uneven."""
    rng = np.random.default_rng(seed)
    clusters = rng.choice(10, 2000, p=np.arange(1, 11) / 55)
    errors = 0.02 * 1.3**clusters * np.exp(0.3 * rng.normal(size=2000))
    labelled = rng.random(2000) < 0.05
    return Pool(rng.normal(size=(2000, 2)), clusters, errors, np.zeros(2000), np.ones((2000, 1)), labelled)


def reveal(pool: Pool, rows: np.ndarray) -> np.ndarray:
    known = np.full(len(pool), np.nan)
    known[rows] = pool.errors[rows]
    return known


def test_reference_needs_every_unlabelled_error() -> None:
    pool = example_pool()
    known = np.where(pool.labelled, np.nan, pool.errors)
    np.testing.assert_array_equal(Reference().estimate(pool, known), known)
    known[np.flatnonzero(~pool.labelled)[0]] = np.nan
    with pytest.raises(UsageError, match="1 of 54 have none"):
        Reference().estimate(pool, known)


def test_cheap_errors_are_scaled_by_known_ones() -> None:
    pool = big_pool()
    cheap = pool.errors / 3.0
    np.testing.assert_allclose(
        Cheap(cheap).estimate(pool, reveal(pool, np.arange(5))), pool.errors, rtol=1e-12
    )
    unscaled = Cheap(cheap).estimate(pool, np.full(len(pool), np.nan))
    np.testing.assert_array_equal(unscaled, cheap)


def test_cheap_fills_seen_frames_with_their_clusters_error() -> None:
    pool = example_pool()
    cheap = pool.errors.copy()
    first = np.flatnonzero(pool.clusters == 1)[:3]
    cheap[first] = np.nan
    cheap[pool.clusters == 3] = np.nan
    estimate = Cheap(cheap).estimate(pool, np.full(len(pool), np.nan))
    others = np.setdiff1d(np.flatnonzero(pool.clusters == 1), first)
    np.testing.assert_allclose(estimate[first], np.sqrt((pool.errors[others] ** 2).mean()))
    rest = ~np.isnan(cheap)
    np.testing.assert_allclose(estimate[pool.clusters == 3], np.sqrt((pool.errors[rest] ** 2).mean()))
    with pytest.raises(UsageError, match="cheap labels the model has not seen"):
        Cheap(np.full(len(pool), np.nan)).estimate(pool, pool.errors)
    with pytest.raises(UsageError, match=r"cheap_errors must have shape \(60,\)"):
        Cheap(cheap[1:]).estimate(pool, pool.errors)


def test_disagreement_is_scaled_like_cheap_errors() -> None:
    pool = big_pool()
    known, disagreement = reveal(pool, np.arange(40)), pool.errors * np.exp(0.2 * pool.features[:, 0]) / 4
    disagreement[50:60] = np.nan
    estimate = Committee(disagreement).estimate(pool, known)
    np.testing.assert_array_equal(estimate, Cheap(disagreement).estimate(pool, known))
    assert estimate[60:].mean() == pytest.approx(pool.errors[60:].mean(), rel=0.1)
    unscaled = Committee(disagreement).estimate(pool, np.full(len(pool), np.nan))
    np.testing.assert_array_equal(unscaled[60:], disagreement[60:])
    assert len(Committee(disagreement).wants(pool, 10, np.random.default_rng(0))) == 0
    with pytest.raises(UsageError, match="disagreement of a committee, got none"):
        Committee(disagreement * np.nan).estimate(pool, known)
    with pytest.raises(UsageError, match="disagreement must be finite errors ≥ 0"):
        Committee(-disagreement).estimate(pool, known)


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


def test_unusable_numbers_are_refused() -> None:
    pool, rng = example_pool(), np.random.default_rng(0)
    for source in (Reference(), Cheap(pool.errors), Committee(pool.errors), Probe()):
        with pytest.raises(UsageError, match=r"known must have shape \(60,\)"):
            source.estimate(pool, pool.errors[1:])
        with pytest.raises(UsageError, match="finite errors ≥ 0"):
            source.estimate(pool, -pool.errors)
        with pytest.raises(UsageError, match="finite errors ≥ 0"):
            source.estimate(pool, pool.errors * np.inf)
    with pytest.raises(UsageError, match="minimum"):
        Probe(minimum=-1)
    with pytest.raises(UsageError, match="number of probes"):
        Probe().wants(pool, -1, rng)
