import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.arrays import IntArray
from fidsel.selector.clusters.nearest_neighbour_chain import ward_tree
from fidsel.selector.clusters.tree import cut
from fidsel.selector.grouping import Group, groups_with_enough


def at_least(counts: IntArray, minimum: int, merges: IntArray) -> tuple[Group, ...]:
    return groups_with_enough(merges, counts, lambda group: counts[list(group)].sum() >= minimum)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 25), minimum=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_groups_are_a_partition_with_enough_in_each(seed: int, k: int, minimum: int) -> None:
    rng = np.random.default_rng(seed)
    merges, counts = ward_tree(rng.normal(size=(k, 2))).merges, rng.poisson(20, k) * rng.integers(0, 2, k)
    groups = at_least(counts, minimum, merges)
    assert sorted(c for group in groups for c in group) == list(range(k))
    sizes = [counts[list(group)].sum() for group in groups]
    assert len(groups) == 1 or min(sizes) >= minimum


@given(seed=st.integers(0, 10_000), k=st.integers(2, 25))
@settings(max_examples=60, deadline=None)
def test_clusters_with_enough_stay_alone_unless_a_small_one_needs_them(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    merges, counts = ward_tree(rng.normal(size=(k, 2))).merges, rng.integers(0, 40, k)
    groups = at_least(counts, 20, merges)
    assert len(groups) == 1 or all(len(group) == 1 or any(counts[c] < 20 for c in group) for group in groups)
    assert all(at_least(counts + 20, 20, merges)[c] == (c,) for c in range(k))


def test_a_small_cluster_joins_its_sibling_first() -> None:
    """0 and 1 merge first, then 2 and 3, then all: where 0 + 1 has enough, 2 and 3 are left alone."""
    merges = np.array([[0, 1], [2, 3], [4, 5]])
    assert at_least(np.array([5, 25, 30, 40]), 20, merges) == ((0, 1), (2,), (3,))
    assert at_least(np.array([5, 5, 30, 40]), 20, merges) == ((0, 1, 2), (3,))
    assert at_least(np.array([5, 5, 5, 4]), 20, merges) == ((0, 1, 2, 3),)


def test_a_rare_cluster_at_the_root_leaves_the_others_apart() -> None:
    merges = np.array([[0, 1], [2, 4], [3, 5]])
    assert at_least(np.array([50, 40, 60, 3]), 20, merges) == ((0,), (1, 3), (2,))
    assert at_least(np.array([50, 40, 60, 0]), 20, merges) == ((0,), (1, 3), (2,))


def test_a_group_stays_within_the_part_of_the_tree_that_has_enough() -> None:
    points = np.array([[0.0], [1.0], [10.0], [11.0], [100.0], [101.0]])
    merges = ward_tree(points).merges
    counts = np.array([30, 2, 30, 3, 30, 4])
    parts = cut(merges, 3)
    groups = at_least(counts, 20, merges)
    assert groups == ((0, 1), (2, 3), (4, 5))
    assert all(len(set(parts[list(group)].tolist())) == 1 for group in groups)


def test_unions_that_spoil_each_other_go_on_merging() -> None:
    """Enough is asked of the union, whatever its parts had."""
    merges = np.array([[0, 1], [2, 3]])
    groups = groups_with_enough(merges, np.array([20, 1, 20]), lambda group: group in {(0,), (2,), (0, 1, 2)})
    assert groups == ((0, 1, 2),)
