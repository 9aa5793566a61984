import copy
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import LCMD, PICKERS, ClusterError, FarthestPoint, Greedy, Picks, Pool, Random
from fidsel.selector.pool import ARRAYS
from fidsel.testing.picker import example_pool, with_covariance

FEATURES = np.random.default_rng(0).normal(size=(30, 2))


def test_a_pool_of_features_alone_favours_no_frame() -> None:
    pool = Pool.of(FEATURES)
    assert np.array_equal(pool.features, FEATURES)
    assert np.isnan(pool.errors).all()
    assert np.isnan(pool.energies).all()
    assert not pool.labelled.any()
    assert pool.costs.tolist() == [[1.0]] * 30
    assert pool.clusters.tolist() == [0] * 30


def test_a_pool_is_a_copy_of_what_it_is_made_from() -> None:
    features = FEATURES.copy()
    pool = Pool.of(features)
    features[:] = 0
    assert np.array_equal(pool.features, FEATURES)


def test_what_is_given_is_taken() -> None:
    pool = Pool.of(
        [[0.0], [1.0], [2.0]],
        [0.1, 0.2, np.nan],
        clusters=[2, 0, 2],
        energies=[1, 2, 3],
        costs=[[1, 5]] * 3,
        labelled=[1],
        unit="eV",
    )
    assert pool.clusters.tolist() == [2, 0, 2]
    assert pool.energies.tolist() == [1.0, 2.0, 3.0]
    assert pool.costs.tolist() == [[1.0, 5.0]] * 3
    assert pool.labelled.tolist() == [False, True, False]
    assert pool.unit == "eV"
    assert Pool.of([[0.0], [1.0]], costs=[3, 4]).costs.tolist() == [[3.0], [4.0]]
    assert Pool.of([[0.0], [1.0]], labelled=[True, False]).labelled.tolist() == [True, False]


def test_clusters_can_be_made_of_the_features() -> None:
    pool = Pool.of([[0.0], [0.1], [0.2], [9.0], [9.1]], clusters=2)
    assert pool.clusters.tolist() == [0, 0, 0, 1, 1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"one row per frame, got shape \(3,\)"):
        Pool.of([1.0, 2.0, 3.0])
    with pytest.raises(UsageError, match="errors must have one row for each of the 30 frames, got 2"):
        Pool.of(FEATURES, [1.0, 2.0])
    for rows in ([30], [-1], [0.5]):
        with pytest.raises(UsageError, match="whole numbers from 0 to 29, or a mask"):
            Pool.of(FEATURES, labelled=rows)
    with pytest.raises(UsageError, match="labelled must have one row for each of the 30 frames, got 2"):
        Pool.of(FEATURES, labelled=[True, False])
    with pytest.raises(UsageError, match=r"costs must be|costs \(n, n_fidelities\)"):
        Pool.of(FEATURES, costs=np.ones((30, 1, 2)))


@pytest.mark.parametrize("name", ["errors", "energies", "clusters", "labelled"])
def test_columns_are_no_values_per_frame(name: str) -> None:
    column = np.zeros((30, 1), dtype=bool if name == "labelled" else int)
    with pytest.raises(
        UsageError, match=rf"{name} must have shape \(30,\), one value for each frame, got \(30, 1\)"
    ):
        Pool.of(FEATURES, **{name: column})


def test_a_mask_of_whole_numbers_is_not_taken_as_rows() -> None:
    mask = np.arange(30) > 20
    assert np.array_equal(Pool.of(FEATURES, labelled=mask).labelled, mask)
    assert np.array_equal(Pool.of(FEATURES, labelled=np.flatnonzero(mask)).labelled, mask)
    for given in (mask.astype(int), np.zeros(30, int), np.ones(30, int)):
        with pytest.raises(UsageError, match=r"mask of 30 truth values, .* np.asarray\(.*, dtype=bool\)"):
            Pool.of(FEATURES, labelled=given)
    with pytest.raises(UsageError, match=r"rows, each of them once, .* got 3 whole numbers .*: np.unique"):
        Pool.of(FEATURES, labelled=[4, 5, 4])
    with pytest.raises(UsageError, match="labelled must be truth values, got int64"):
        replace(Pool.of(FEATURES), labelled=mask.astype(int))
    assert Pool.of(FEATURES[:2], labelled=[1, 0]).labelled.all()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda some: pickle.loads(pickle.dumps(some))])
def test_copies_are_as_read_only_as_the_pool(copied: Callable[[Pool], Pool]) -> None:
    pool = example_pool()
    other = copied(pool)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(other, name), getattr(pool, name))
        with pytest.raises(ValueError, match="read-only"):
            getattr(other, name)[:] = 0


@pytest.mark.parametrize("name", sorted(PICKERS))
def test_a_seed_stands_for_the_generator_it_makes(name: str) -> None:
    pool, picker = with_covariance(example_pool()), PICKERS[name]()
    picks = picker.pick(pool, 8, 5)
    assert picks.indices.tolist() == picker.pick(pool, 8, np.random.default_rng(5)).indices.tolist()


def test_pickers_that_draw_nothing_need_no_seed() -> None:
    pool = example_pool()
    for picker in (FarthestPoint(), Greedy(), LCMD()):
        assert picker.pick(pool, 8).indices.tolist() == picker.pick(pool, 8, 3).indices.tolist()


def test_clusters_made_of_features_steer_cluster_errors() -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 20])
    pool = Pool.of(features, np.repeat([0.1, 0.5], 50), clusters=2)
    picks = ClusterError().pick(pool, 10, 0)
    assert picks.indices.min() >= 50
    assert picks.notes == ()


def test_a_pool_and_picks_say_what_they_are_in_one_line() -> None:
    pool = example_pool()
    assert repr(pool) == "Pool(60 frames, 3 features, 6 labelled, all errors known, 4 clusters, 2 fidelities)"
    assert repr(Pool.of(FEATURES)) == "Pool(30 frames, 2 features, 0 labelled, no errors)"
    assert repr(Pool.of([[1.0]], [0.5])) == "Pool(1 frame, 1 feature, 0 labelled, all errors known)"
    picks = Random().pick(Pool.of(FEATURES), 20, 0)
    assert repr(picks).startswith("Picks(20 frames: ")
    assert repr(picks).endswith(", ...)")
    assert repr(Picks(np.empty(0, int), np.empty(0, int), np.empty(0, int), ())) == "Picks(0 frames)"


def test_picks_are_a_table_in_a_notebook() -> None:
    picks = FarthestPoint().pick(Pool.of(FEATURES), 3)
    shown = picks._repr_html_()
    assert shown.count("<tr>") == 4
    assert "farthest from all frames labelled or picked" in shown
