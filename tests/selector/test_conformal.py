import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector import BroadClusters, calibrate, hold_out, score
from fidsel.selector.clusters.nearest_neighbour_chain import ward_tree
from fidsel.selector.conformal import least_frames


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("m", [9, 40])
def test_simulated_coverage_is_the_one_promised(coverage: float, m: int) -> None:
    """Over many draws of m calibration frames, E coverage = ⌈(m + 1)c⌉/(m + 1), whatever the ratios' law."""
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(600):
        n = m + 200
        estimates = rng.uniform(0.5, 2.0, n)
        known = estimates * rng.lognormal(sigma=1.0, size=n)
        first, clusters = np.arange(n) < m, np.zeros(n, dtype=int)
        calibration = calibrate(estimates, known, clusters, first, coverage=coverage, minimum=10_000)
        kept.append((known <= calibration.bound(estimates, clusters))[~first].mean())
    exact = np.ceil(round((m + 1) * coverage, 9)) / (m + 1)
    assert np.mean(kept) == pytest.approx(exact, abs=4 * np.std(kept) / np.sqrt(600))
    assert exact >= coverage


def test_clusters_with_enough_frames_have_their_own_factor() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat([0, 1, 2], [500, 500, 15])
    ratio = np.array([1.0, 10.0, 1.0])[clusters] * rng.uniform(0.5, 1.0, 1015)
    calibration = calibrate(np.ones(1015), ratio, clusters, np.ones(1015, dtype=bool), coverage=0.9)
    assert set(calibration.per_cluster) == {0, 1}
    assert calibration.per_cluster[0] == pytest.approx(0.95, abs=0.03)
    assert calibration.per_cluster[1] == pytest.approx(9.5, abs=0.3)
    assert calibration.frames == 1015
    bounds = calibration.bound(np.array([2.0, 2.0, 2.0]), np.array([0, 1, 2]))
    factors = [calibration.per_cluster[0], calibration.per_cluster[1], calibration.pooled]
    np.testing.assert_allclose(bounds, 2 * np.array(factors))


def brute_force(ratios: FloatArray, coverage: float) -> float:
    """The ⌈(m + 1)·coverage⌉-th smallest of m."""
    return float(np.sort(ratios)[int(np.ceil(round((len(ratios) + 1) * coverage, 9))) - 1])


@given(
    seed=st.integers(0, 10_000), k=st.integers(1, 8), m=st.integers(25, 150),
    coverage=st.sampled_from([0.5, 0.8, 0.9]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_factors_are_those_of_brute_force(seed: int, k: int, m: int, coverage: float) -> None:
    rng = np.random.default_rng(seed)
    clusters, estimates, known = rng.integers(0, k, 400), rng.uniform(0.5, 2, 400), rng.lognormal(size=400)
    drawn = np.zeros(400, dtype=bool)
    drawn[rng.choice(400, m, replace=False)] = True
    merges = ward_tree(rng.normal(size=(k, 2))).merges
    found = calibrate(estimates, known, clusters, drawn, coverage=coverage, merges=merges)
    ratios = known / estimates
    assert found.pooled == brute_force(ratios[drawn], coverage)
    assert set(found.per_cluster) == set(range(k))
    groups = {c: group for group in found.merged for c in group}
    for c, factor in found.per_cluster.items():
        group = groups.get(c, (c,))
        inside = drawn & np.isin(clusters, group)
        assert inside.sum() >= 20
        assert factor == brute_force(ratios[inside], coverage)
        if len(group) > 1:
            assert min((drawn & (clusters == member)).sum() for member in group) < 20
    bounds = found.bound(estimates, clusters)
    assert (bounds == [found.per_cluster[c] * e for c, e in zip(clusters, estimates, strict=True)]).all()


def clustered_pool(rng: np.random.Generator) -> tuple[BroadClusters, FloatArray, FloatArray]:
    """3000 frames in clusters of 10 to 900, the law of error / estimate another in each."""
    kind = rng.choice(8, 3000, p=[0.3, 0.25, 0.2, 0.1, 0.08, 0.05, 0.01, 0.01])
    features = 20.0 * rng.normal(size=(8, 5))[kind] + rng.normal(size=(3000, 5))
    energies = rng.normal(size=3000)
    clusters = BroadClusters.fit(features, energies, n_geometry=8, n_energy=2)
    width, middle = rng.uniform(0.2, 1.0, len(clusters)), rng.uniform(0.5, 2.0, len(clusters))
    estimates = rng.uniform(0.05, 0.2, 3000)
    ratios = middle[clusters.labels] * rng.lognormal(size=3000) ** width[clusters.labels]
    return clusters, estimates, estimates * ratios


def shares_kept(kept: BoolArray, labels: IntArray, k: int) -> FloatArray:
    """Return (k,) the fraction of each cluster's frames that keep their bound."""
    return np.asarray(np.bincount(labels, kept, minlength=k) / np.bincount(labels, minlength=k))


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_coverage_within_clusters_averages_to_the_target(coverage: float) -> None:
    """Six pools, 50 random splits of each: within 3 points over all clusters, and over those alone.

    Of a merged group only the whole has a promise; its smallest clusters, unlike the rest here, can differ.
    """
    merged_means, pooled_means, whole = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        clusters, estimates, known = clustered_pool(rng)
        k, large = len(clusters), clusters.population >= 200
        kept, flat = np.empty((50, k)), np.empty((50, k))
        for split in range(50):
            drawn = np.zeros(3000, dtype=bool)
            drawn[rng.choice(3000, 400, replace=False)] = True
            found = calibrate(
                estimates, known, clusters.labels, drawn, coverage=coverage, merges=clusters.merges
            )
            assert set(found.per_cluster) == set(range(k))
            assert found.merged
            inside = known <= found.bound(estimates, clusters.labels)
            kept[split] = shares_kept(inside[~drawn], clusters.labels[~drawn], k)
            flat[split] = shares_kept((known <= found.pooled * estimates)[~drawn], clusters.labels[~drawn], k)
            whole += [inside[~drawn & np.isin(clusters.labels, group)].mean() for group in found.merged]
        assert kept[:, large].mean() == pytest.approx(coverage, abs=0.03)
        merged_means.append(kept.mean(axis=0))
        pooled_means.append(flat.mean(axis=0))
    assert np.mean(np.concatenate(merged_means)) == pytest.approx(coverage, abs=0.03)
    assert coverage - 0.01 <= np.mean(whole) <= coverage + 0.04
    ours, theirs = (np.abs(np.concatenate(v) - coverage).mean() for v in (merged_means, pooled_means))
    assert ours < 0.8 * theirs


def test_merged_clusters_are_marked_and_share_a_factor() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat([0, 1, 2], [500, 500, 15])
    ratio = np.array([1.0, 10.0, 1.0])[clusters] * rng.uniform(0.5, 1.0, 1015)
    every, merges = np.ones(1015, dtype=bool), np.array([[0, 2], [1, 3]])
    found = calibrate(np.ones(1015), ratio, clusters, every, coverage=0.9, merges=merges)
    assert found.merged == ((0, 2),)
    assert found.per_cluster[0] == found.per_cluster[2] != found.per_cluster[1]
    alone = calibrate(np.ones(1015), ratio, clusters, every, coverage=0.9)
    assert alone.merged == ()
    assert 2 not in alone.per_cluster


def test_merging_weighs_frames_that_were_drawn_per_cluster() -> None:
    """19 frames each of a large and a small cluster: the large one counts 9 times as much."""
    clusters = np.repeat([0, 1], [1800, 200])
    drawn = np.zeros(2000, dtype=bool)
    drawn[:19] = drawn[-19:] = True
    known = np.where(clusters == 0, 3.0, 1.0) * np.linspace(1, 1.1, 2000)
    merges = np.array([[0, 1]])
    found = calibrate(np.ones(2000), known, clusters, drawn, stratified=True, merges=merges)
    assert found.merged == ((0, 1),)
    assert found.per_cluster[0] == found.pooled == np.sort(known[:19])[17]


def test_no_frames_in_any_group_leave_the_pooled_factor() -> None:
    clusters, merges = np.repeat([0, 1], 6), np.array([[0, 1]])
    found = calibrate(np.ones(12), np.ones(12), clusters, np.ones(12, dtype=bool), merges=merges)
    assert (found.per_cluster, found.merged) == ({}, ())
    with pytest.raises(UsageError, match="merges are of 2 clusters, 0 to 1"):
        calibrate(np.ones(12), np.ones(12), clusters + 1, np.ones(12, dtype=bool), merges=merges)


def test_a_promise_takes_so_many_frames() -> None:
    assert [least_frames(coverage) for coverage in (0.5, 0.9, 0.95)] == [1, 9, 19]


def test_enough_frames_are_needed_and_nine_do_for_ninety_percent() -> None:
    known, clusters = np.arange(1.0, 10.0), np.zeros(9, dtype=int)
    everything = np.ones(9, dtype=bool)
    assert calibrate(np.ones(9), known, clusters, everything, coverage=0.9).pooled == 9.0
    with pytest.raises(UsageError, match="at least 9 calibration frames, got 8"):
        calibrate(np.ones(9), known, clusters, np.arange(9) < 8, coverage=0.9)
    with pytest.raises(UsageError, match="at least 19"):
        calibrate(np.ones(9), known, clusters, everything, coverage=0.95)
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibrate(np.ones(9), known, clusters, everything, coverage=1.0)
    with pytest.raises(UsageError, match="known error and an estimate"):
        calibrate(np.full(9, np.nan), known, clusters, everything)


def test_a_small_minimum_never_makes_an_unpromised_factor() -> None:
    clusters = np.repeat([0, 1], [5, 15])
    calibration = calibrate(np.ones(20), np.ones(20), clusters, np.ones(20, dtype=bool), minimum=1)
    assert set(calibration.per_cluster) == {1}


def test_zero_estimates_bound_only_zero_errors() -> None:
    known = np.r_[np.zeros(8), 1.0, 1.0]
    clusters, rows = np.zeros(10, dtype=int), np.ones(10, dtype=bool)
    assert calibrate(np.zeros(10), known, clusters, rows, coverage=0.6).pooled == 0.0
    assert calibrate(np.zeros(10), known, clusters, rows, coverage=0.9).pooled == np.inf


def test_hold_out_splits_known_errors() -> None:
    known = np.where(np.arange(100) % 2, np.arange(100.0), np.nan)
    seen, calibration = hold_out(known, 0.4, np.random.default_rng(0))
    assert calibration.sum() == 20
    assert np.isfinite(known[calibration]).all()
    assert np.isnan(seen[calibration]).all()
    np.testing.assert_array_equal(seen[~calibration], known[~calibration])
    assert hold_out(known, 0.0, np.random.default_rng(0))[1].sum() == 0
    with pytest.raises(UsageError, match="fraction"):
        hold_out(known, 1.5, np.random.default_rng(0))


def test_score_is_spearman_over_clusters_and_frames() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 8, 300)
    truth = 0.1 * (1 + clusters) * rng.uniform(0.5, 1.5, 300)
    estimates = truth * rng.lognormal(sigma=0.5, size=300)
    truth[:50] = np.nan
    found = score(estimates, truth, clusters, bounds=2 * estimates)
    rows = slice(50, None)
    rms = [
        [np.sqrt((values[rows][clusters[rows] == c] ** 2).mean()) for c in range(8)]
        for values in (estimates, truth)
    ]
    assert found.frame_rank == pytest.approx(spearmanr(estimates[rows], truth[rows]).statistic)
    assert found.cluster_rank == pytest.approx(spearmanr(*rms).statistic)
    assert found.coverage == pytest.approx((truth[rows] <= 2 * estimates[rows]).mean())
    assert found.frames == 250
    json.dumps(found.to_dict(), allow_nan=False)


def test_score_of_nothing_or_of_equal_estimates_is_undefined() -> None:
    nothing = score(np.ones(3), np.full(3, np.nan), np.zeros(3, dtype=int))
    assert (nothing.cluster_rank, nothing.coverage, nothing.frames) == (None, None, 0)
    flat = score(np.ones(3), np.arange(3.0), np.arange(3))
    assert (flat.cluster_rank, flat.frame_rank, flat.frames) == (None, None, 3)


def test_frames_drawn_per_cluster_are_weighted_by_population() -> None:
    """The large cluster has the larger ratios: unweighted, 30 + 30 frames promise too much."""
    rng = np.random.default_rng(0)
    clusters = np.repeat([0, 1], [1800, 200])
    kept: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(200):
        known = np.where(clusters == 0, 3.0, 1.0) * rng.lognormal(sigma=0.3, size=2000)
        drawn = np.zeros(2000, dtype=bool)
        for c in (0, 1):
            drawn[rng.choice(np.flatnonzero(clusters == c), 30, replace=False)] = True
        for stratified, values in kept.items():
            calibration = calibrate(
                np.ones(2000), known, clusters, drawn, minimum=10_000, stratified=stratified
            )
            values.append((known <= calibration.pooled)[~drawn].mean())
    assert np.mean(kept[False]) < 0.85
    assert 0.9 <= np.mean(kept[True]) < 0.94


def test_weights_too_uneven_for_the_coverage_are_refused() -> None:
    clusters = np.repeat([0, 1], [1000, 8])
    drawn = np.zeros(1008, dtype=bool)
    drawn[[0, 1, *range(1000, 1008)]] = True
    assert calibrate(np.ones(1008), np.ones(1008), clusters, drawn).pooled == 1.0
    with pytest.raises(UsageError, match="populous clusters"):
        calibrate(np.ones(1008), np.ones(1008), clusters, drawn, stratified=True)


def test_clusters_whose_estimates_differ_by_rounding_are_tied() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 20, 2000)
    flat = np.full(2000, 0.2447)
    assert len({np.sqrt((flat[clusters == c] ** 2).mean()) for c in range(20)}) > 1
    assert score(flat, rng.uniform(size=2000), clusters).cluster_rank is None
    assert score(np.zeros(2000), np.zeros(2000), clusters).frame_rank is None
