import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.selector import (
    LCMD,
    BroadClusters,
    ClusterError,
    FarthestPoint,
    Greedy,
    Picker,
    Pool,
    Random,
    cluster_errors,
    pair_distances,
)
from fidsel.selector.clusters.ward import fine_clusters
from fidsel.selector.pickers.cluster_error import Strategy

STRATEGIES = get_args(Strategy)


def rare_cluster(n: int = 400, rare: int = 8, seed: int = 0) -> Pool:
    """A pool of 5 clusters, of which cluster 4 is small and badly predicted; single bad frames elsewhere."""
    rng = np.random.default_rng(seed)
    clusters = np.concatenate([np.arange(n - rare) % 4, np.full(rare, 4)])
    features = 20.0 * np.eye(5)[clusters] + rng.normal(size=(n, 5))
    errors = rng.uniform(0.02, 0.03, n)
    errors[clusters == 4] = rng.uniform(0.2, 0.3, rare)
    errors[[10, 21]] = 0.5  # bad frames of good clusters: a limit of the model or noise
    return Pool(features, clusters, errors, np.zeros(n), np.ones((n, 1)), np.zeros(n, dtype=bool))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_planted_rare_cluster_is_found(strategy: Strategy) -> None:
    pool = rare_cluster()
    picks = ClusterError(strategy, fine_clusters=16).pick(pool, 8, np.random.default_rng(0))
    assert set(picks.cluster) == {4}


def test_single_bad_frames_of_good_clusters_are_left_alone() -> None:
    pool = rare_cluster()
    picks = ClusterError().pick(pool, 4, np.random.default_rng(0))
    assert not set(picks.indices) & {10, 21}
    assert set(np.argsort(-pool.errors)[:2]) == {10, 21}


@pytest.fixture(scope="module")
def one_in_a_thousand() -> Pool:
    """10 of 10 000 frames, the first, make a region of their own, predicted ten times worse."""
    rng = np.random.default_rng(0)
    n = 10_000
    features = rng.normal(size=(n, 6)) + 6.0 * np.eye(6)[np.arange(n) % 5]
    features[:10] = 6.0 * np.eye(6)[5] + 0.5 * rng.normal(size=(10, 6))
    errors, energies, labelled = rng.uniform(0.02, 0.04, n), rng.normal(size=n), rng.random(n) < 0.01
    errors[:10] *= 10
    labelled[:10] = False
    clusters = BroadClusters.fit(features, energies, subset=1000).labels
    return Pool(features, clusters, errors, energies, np.ones((n, 1)), labelled)


@pytest.mark.parametrize(
    "picker",
    [
        *(ClusterError(strategy) for strategy in STRATEGIES if strategy != "by-size"),
        Greedy(),
        LCMD("errors"),
        FarthestPoint(),
    ],
    ids=["cluster-error"] * (len(STRATEGIES) - 1) + ["greedy", "lcmd", "farthest-point"],
)
def test_one_frame_in_a_thousand_is_found_within_two_rounds(picker: Picker, one_in_a_thousand: Pool) -> None:
    """50 picks per round; pickers that go by population or at random have no reason to find it."""
    pool = one_in_a_thousand
    for _ in range(2):
        labelled = pool.labelled.copy()
        labelled[picker.pick(pool, 50, np.random.default_rng(0)).indices] = True
        pool = replace(pool, labelled=labelled)
    assert pool.labelled[:10].any()


def brute_worst(pool: Pool, problem: list[int], count: int, n: int) -> tuple[list[int], int]:
    """The paper's rule, one frame at a time, and how many frames the worst half holds."""
    fine = fine_clusters(pool.features[problem], count)
    groups = [[problem[i] for i in np.flatnonzero(fine == c)] for c in range(fine.max() + 1)]
    groups.sort(key=lambda rows: -float(np.sqrt((pool.errors[rows] ** 2).mean())))
    queues = [sorted(rows, key=lambda i: -float(pool.errors[i])) for rows in groups]
    half = int(np.ceil(len(queues) / 2))
    held = sum(len(queue) for queue in queues[:half])
    picks: list[int] = []
    for part in (queues[:half], queues[half:]):
        while any(part):
            picks += [queue.pop(0) for queue in part if queue]
    return picks[:n], held


@pytest.mark.parametrize("n", [3, 10, 14, 30, 49])
def test_worst_follows_the_paper(n: int) -> None:
    rng = np.random.default_rng(2)
    clusters = rng.integers(0, 5, 150)
    errors = rng.uniform(0.5, 1.0, 150) * (1 + clusters)
    pool = Pool(
        rng.normal(size=(150, 3)), clusters, errors, np.zeros(150), np.ones((150, 1)), rng.random(150) < 0.2
    )
    free = np.flatnonzero(~pool.labelled)
    broad = cluster_errors(clusters[free], errors[free])
    bad = [c for c, e in zip(broad.cluster, broad.rmse, strict=True) if e > 1.1 * broad.overall]
    problem = [int(i) for i in free if clusters[i] in bad]
    assert len(problem) == 49
    picks = ClusterError(fine_clusters=20).pick(pool, n, rng)
    expected, held = brute_worst(pool, problem, 20, n)
    assert picks.indices.tolist() == expected
    assert bool(picks.notes) == (n > 10)
    if n > held:
        assert f"these gave {held}, the better ones {n - held};" in picks.notes[0]


def fine_pool() -> tuple[Pool, FloatArray]:
    """Three fine clusters of 12, 6 and 2 frames with errors 0.1, 0.2 and 0.3, all of one broad cluster."""
    fine = np.repeat([0, 1, 2], [12, 6, 2])
    rng = np.random.default_rng(0)
    features = 50.0 * np.eye(3)[fine] + rng.normal(size=(20, 3))
    errors = (0.1 * (1 + fine)) * (1 + 0.01 * rng.permutation(20))
    pool = Pool(features, np.zeros(20, int), errors, np.zeros(20), np.ones((20, 1)), np.zeros(20, dtype=bool))
    return pool, fine


def test_population_takes_in_proportion_to_error_times_size() -> None:
    """Shares 1.2 : 1.2 : 0.6 give 4, 4, 2 of 10."""
    pool, fine = fine_pool()
    picks = ClusterError("population", threshold=0.0, fine_clusters=3).pick(
        pool, 10, np.random.default_rng(0)
    )
    assert np.bincount(fine[picks.indices]).tolist() == [4, 4, 2]
    for c, count in enumerate([4, 4, 2]):
        members = np.flatnonzero(fine == c)
        top = members[np.argsort(-pool.errors[members])][:count]
        assert [i for i in picks.indices if fine[i] == c] == top.tolist()
    assert fine[picks.indices].tolist() == sorted(fine[picks.indices], reverse=True)


def test_by_size_takes_in_proportion_to_size() -> None:
    pool, fine = fine_pool()
    picks = ClusterError("by-size", threshold=0.0, fine_clusters=3).pick(pool, 10, np.random.default_rng(0))
    assert np.bincount(fine[picks.indices]).tolist() == [6, 3, 1]


def test_centroid_takes_the_frame_nearest_to_each_centroid() -> None:
    pool, fine = fine_pool()
    picks = ClusterError("centroid", threshold=0.0, fine_clusters=3, worst=1.0).pick(
        pool, 3, np.random.default_rng(0)
    )
    for c, i in zip((2, 1, 0), picks.indices, strict=True):
        members = np.flatnonzero(fine == c)
        gaps = np.linalg.norm(pool.features[members] - pool.features[members].mean(axis=0), axis=1)
        assert np.linalg.norm(pool.features[i] - pool.features[members].mean(axis=0)) == gaps.min()


def test_random_takes_another_frame_with_another_seed() -> None:
    pool, fine = fine_pool()
    picker = ClusterError("random", threshold=0.0, fine_clusters=3, worst=1.0)
    drawn = [picker.pick(pool, 3, np.random.default_rng(seed)).indices for seed in range(20)]
    assert all(fine[rows].tolist() == [2, 1, 0] for rows in drawn)
    assert len({tuple(rows.tolist()) for rows in drawn}) > 10


def test_threshold_is_lowered_stepwise_and_noted() -> None:
    pool = rare_cluster()
    picks = ClusterError(fine_clusters=20).pick(pool, 50, np.random.default_rng(0))
    assert "threshold lowered from 1.1 to" in picks.notes[0]
    assert "hold 8 distinct" in picks.notes[0]
    assert len(set(picks.indices.tolist())) == 50
    level = replace(pool, errors=np.full(400, 0.1))
    notes = ClusterError().pick(level, 5, np.random.default_rng(0)).notes
    assert "from 1.1 to 0.9 × overall" in notes[0]
    assert "hold 0 distinct" in notes[0]


def test_relative_to_the_mean_of_cluster_errors() -> None:
    """A large good cluster pulls the overall RMSE down, not the mean of cluster errors."""
    clusters = np.repeat([0, 1, 2], [90, 5, 5])
    errors = np.repeat([0.1, 0.2, 0.6], [90, 5, 5])
    features = np.random.default_rng(0).normal(size=(100, 2))
    pool = Pool(features, clusters, errors, np.zeros(100), np.ones((100, 1)), np.zeros(100, dtype=bool))
    rng = np.random.default_rng(0)
    assert set(ClusterError(worst=1.0).pick(pool, 10, rng).cluster) == {1, 2}
    by_clusters = ClusterError(worst=1.0, relative_to="clusters")
    assert set(by_clusters.pick(pool, 5, rng).cluster) == {2}
    assert "the mean of cluster errors" in by_clusters.pick(pool, 10, rng).notes[0]


def test_zero_errors_everywhere_still_give_picks() -> None:
    pool = replace(rare_cluster(), errors=np.zeros(400))
    for strategy in STRATEGIES:
        assert len(ClusterError(strategy).pick(pool, 30, np.random.default_rng(0))) == 30


def test_reasons_tell_cluster_size_and_error() -> None:
    pool = rare_cluster()
    picks = ClusterError().pick(pool, 2, np.random.default_rng(0))
    first = picks.reason[0]
    assert first.startswith("cluster 4 (RMSE 2")
    error = f"8 frames), error {1000 * pool.errors[picks.indices[0]]:.3g} meV/Å: "
    assert error + "fine cluster 1 of 8 by error" in first
    assert first.endswith("by highest error; cost 1")
    (drawn,) = Random().pick(pool, 1, np.random.default_rng(0)).reason
    assert drawn.endswith("meV/Å: drawn at random from 400 unlabelled frames; cost 1")
    blank = replace(pool, errors=np.full(400, np.nan), costs=np.full((400, 1), np.nan))
    (drawn,) = Random().pick(blank, 1, np.random.default_rng(0)).reason
    assert drawn in {f"cluster {c} (98 frames): drawn at random from 400 unlabelled frames" for c in range(4)}


def test_repeats_are_noted() -> None:
    pool = rare_cluster()
    labelled = np.ones(400, dtype=bool)
    labelled[:3] = False
    features = pool.features.copy()
    features[1] = features[0]
    pool = replace(pool, labelled=labelled, features=features)
    for picker in (ClusterError(), Random()):
        picks = picker.pick(pool, 3, np.random.default_rng(0))
        assert picks.indices[2] in (0, 1)
        assert "1 picks repeat" in picks.notes[-1]
        assert picker.pick(pool, 2, np.random.default_rng(0)).notes == () or isinstance(picker, ClusterError)


def test_rows_that_differ_in_the_sign_of_zero_are_equal() -> None:
    features = np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 1.0]])
    pool = Pool(
        features, np.zeros(3, int), np.array([3.0, 2.0, 1.0]), np.zeros(3), np.ones((3, 1)), np.zeros(3, bool)
    )
    assert ClusterError(worst=1.0).pick(pool, 2, np.random.default_rng(0)).indices.tolist() == [0, 2]


def test_unknown_errors_are_sent_to_an_error_source() -> None:
    pool = rare_cluster()
    errors = pool.errors.copy()
    errors[7] = np.nan
    with pytest.raises(UsageError, match="1 of 400 are not: run an error source"):
        ClusterError().pick(replace(pool, errors=errors), 5, np.random.default_rng(0))
    labelled = pool.labelled.copy()
    labelled[7] = True
    ClusterError().pick(replace(pool, errors=errors, labelled=labelled), 5, np.random.default_rng(0))


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="did you mean 'worst'"):
        ClusterError("wurst")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="relative_to"):
        ClusterError(relative_to="all")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="threshold"):
        ClusterError(threshold=float("nan"))
    with pytest.raises(UsageError, match="worst must be a finite number > 0 and ≤ 1, got 0"):
        ClusterError(worst=0.0)
    with pytest.raises(UsageError, match="fine_clusters"):
        ClusterError(fine_clusters=0)


def test_random_is_uniform() -> None:
    pool = replace(rare_cluster(), labelled=np.arange(400) >= 10)
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([Random().pick(pool, 3, rng).indices for _ in range(2000)]))
    assert np.abs(counts - 600).max() < 5 * np.sqrt(600 * 0.7)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_h2co_picks_have_larger_errors_than_random_ones(strategy: Strategy, data_folder: Path) -> None:
    """CCSD(T) − B3LYP force differences stand in for a model's error."""
    data = np.load(data_folder / "h2co" / "h2co.npz")
    frames = Frames.stack(data["z"], data["R"], forces=data["F_ccsdt"])
    difference = data["F_b3lyp"].reshape(len(frames), -1) - frames.forces.reshape(len(frames), -1)
    errors = np.sqrt((difference**2).mean(axis=1))
    features = pair_distances(frames)
    clusters = BroadClusters.fit(features, data["E_b3lyp"], subset=1000)
    labelled = np.random.default_rng(1).random(len(frames)) < 0.05
    pool = Pool(features, clusters.labels, errors, data["E_b3lyp"], np.ones((len(frames), 1)), labelled)
    chosen = ClusterError(strategy).pick(pool, 100, np.random.default_rng(0))
    drawn = Random().pick(pool, 100, np.random.default_rng(0))
    assert errors[chosen.indices].mean() > 1.15 * errors[drawn.indices].mean()
    assert chosen.notes == ()


def test_picks_go_where_the_error_is_largest_for_the_money() -> None:
    """Two molecules in clusters of their own: B errs by half more than A, and costs four times as much."""
    n, rng = 60, np.random.default_rng(0)
    of = np.repeat([0, 1], n)
    features, errors = 50.0 * of[:, None] + rng.normal(size=(2 * n, 3)), np.where(of, 0.3, 0.2)
    even = Pool.of(features, errors, clusters=of)
    dear = Pool.of(features, errors, clusters=of, costs=np.stack([0.1 * (1 + 3 * of), 1.0 + 3 * of], axis=1))
    assert of[ClusterError().pick(even, 8, 0).indices].tolist() == [1] * 8
    picks = ClusterError().pick(dear, 8, 0)
    assert of[picks.indices].tolist() == [0] * 8
    assert "by error per cost (RMSE" in picks.reason[0]
    told = re.findall(r"RMSE (\S+) meV/Å", picks.reason[0])
    assert told == ["200", "200"], "errors of broad and fine cluster are told as they are"


@pytest.mark.parametrize("cost", [0.3, 7.0, 1e-9])
def test_equal_costs_change_nothing(cost: float) -> None:
    pool = rare_cluster()
    same = replace(pool, costs=np.full((len(pool), 2), cost))
    whole, found = ClusterError().pick(pool, 30, 5), ClusterError().pick(same, 30, 5)
    assert found.indices.tolist() == whole.indices.tolist()
