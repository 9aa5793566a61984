import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from fidsel.exceptions import UsageError
from fidsel.selector.clusters.tree import MergeTree, by_population, cut, nested


def tree_of(seed: int, m: int) -> MergeTree:
    rows = np.random.default_rng(seed).normal(size=(m, 3))
    found = linkage(rows, method="ward") if m > 1 else np.empty((0, 4))
    return MergeTree(found[:, :2].astype(np.int64), found[:, 2] ** 2 / 2)


@pytest.mark.parametrize("n_clusters", [1, 2, 7, 39, 40, 100])
def test_cuts_are_those_of_scipy(n_clusters: int) -> None:
    tree = tree_of(0, 40)
    theirs = fcluster(linkage(np.random.default_rng(0).normal(size=(40, 3)), "ward"), n_clusters, "maxclust")
    labels = tree.cut(n_clusters)
    assert len(tree) == 40
    assert len(np.unique(labels)) == min(n_clusters, 40)
    np.testing.assert_array_equal(labels, by_population(theirs))


def test_a_single_leaf_is_a_tree() -> None:
    tree = MergeTree(np.empty((0, 2), dtype=np.int64), np.empty(0))
    assert len(tree) == 1
    assert tree.cut(3).tolist() == [0]


def test_every_cut_makes_the_one_before_coarser() -> None:
    tree = tree_of(1, 30)
    for n in range(1, 30):
        coarse, fine = tree.cut(n), tree.cut(n + 1)
        assert len(set(zip(coarse.tolist(), fine.tolist(), strict=True))) == n + 1


def test_no_clusters_are_refused() -> None:
    for number in (0, 2.5):
        with pytest.raises(UsageError, match=rf"n_clusters must be a whole number ≥ 1, got {number}"):
            cut(np.array([[0, 1]]), number)  # type: ignore[arg-type]


def test_by_population_breaks_ties_by_first_appearance() -> None:
    assert by_population(np.array([9, 4, 4, 9, 1])).tolist() == [0, 1, 1, 0, 2]


def test_groups_merge_inside_before_they_merge_with_each_other() -> None:
    groups, above = [tree_of(2, 3), tree_of(3, 1), tree_of(4, 2)], tree_of(5, 3)
    merges = nested(groups, above)
    owner = np.repeat([0, 1, 2], [3, 1, 2])
    assert sorted(merges.ravel().tolist()) == list(range(10))
    assert np.unique(cut(merges, 3)).size == 3
    np.testing.assert_array_equal(by_population(cut(merges, 3)), by_population(owner))
    for k in (1, 2):
        np.testing.assert_array_equal(
            by_population(cut(merges, k)), by_population(cut(above.merges, k)[owner])
        )
    whole = cut(merges, 5)
    np.testing.assert_array_equal(by_population(whole[:3]), groups[0].cut(2))


def test_one_group_of_one_has_no_merges() -> None:
    assert nested([tree_of(0, 1)], tree_of(0, 1)).shape == (0, 2)
