import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector.clusters.nearest_neighbour_chain import ward_tree


def brute_force(points: FloatArray, weights: FloatArray) -> tuple[list[tuple[int, int]], list[float]]:
    """Merge, again and again, the pair with the smallest cost of all."""
    clusters = {i: (points[i], float(weights[i])) for i in range(len(points))}
    merges, heights = [], []
    while len(clusters) > 1:
        costs = {
            (a, b): wa * wb / (wa + wb) * float(((ca - cb) ** 2).sum())
            for a, (ca, wa) in clusters.items()
            for b, (cb, wb) in clusters.items()
            if a < b
        }
        a, b = min(costs, key=lambda pair: costs[pair])
        (ca, wa), (cb, wb) = clusters.pop(a), clusters.pop(b)
        clusters[len(points) + len(merges)] = (wa * ca + wb * cb) / (wa + wb), wa + wb
        merges.append((a, b))
        heights.append(costs[a, b])
    return merges, heights


def same_partition(a: IntArray, b: IntArray) -> bool:
    pairs = len(set(zip(a.tolist(), b.tolist(), strict=True)))
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


@given(seed=st.integers(0, 10_000), m=st.integers(1, 14), d=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_weighted_points_merge_as_by_brute_force(seed: int, m: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(m, d)), rng.uniform(0.1, 20.0, m)
    tree = ward_tree(points, weights)
    merges, heights = brute_force(points, weights)
    assert tree.merges.tolist() == [list(pair) for pair in merges]
    np.testing.assert_allclose(tree.heights, heights, rtol=1e-9)


@given(seed=st.integers(0, 10_000), m=st.integers(2, 120), d=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_equal_weights_give_the_linkage_of_scipy(seed: int, m: int, d: int) -> None:
    points = np.random.default_rng(seed).normal(size=(m, d))
    tree, theirs = ward_tree(points), linkage(points, method="ward")
    np.testing.assert_array_equal(tree.merges, np.sort(theirs[:, :2].astype(int), axis=1))
    np.testing.assert_allclose(np.sqrt(2 * tree.heights), theirs[:, 2], rtol=1e-9)


@given(seed=st.integers(0, 10_000), m=st.integers(2, 30))
@settings(max_examples=40, deadline=None)
def test_whole_weights_are_repeated_rows(seed: int, m: int) -> None:
    """Scipy, given each row as often as its weight says, merges the copies first, at no cost."""
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(m, 3)), rng.integers(1, 6, m)
    rows = np.repeat(np.arange(m), weights)
    theirs = linkage(points[rows], method="ward")
    tree = ward_tree(points, weights)
    np.testing.assert_allclose(np.sqrt(2 * tree.heights), theirs[-(m - 1) :, 2], rtol=1e-9)
    n, first = len(rows), np.r_[0, np.cumsum(weights)[:-1]]
    for k in range(1, m + 1):
        parent = {}
        for i, (a, b) in enumerate(theirs[: n - k, :2].astype(int)):
            parent[a] = parent[b] = n + i
        roots = first.tolist()
        while any(root in parent for root in roots):
            roots = [parent.get(root, root) for root in roots]
        assert same_partition(tree.cut(k), np.array(roots))


@given(seed=st.integers(0, 1000), m=st.integers(1, 60), levels=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_ties_and_repeated_points_end_in_one_root(seed: int, m: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = rng.integers(0, levels, (m, 2)).astype(float), rng.integers(1, 4, m)
    tree = ward_tree(points, weights)
    assert sorted(tree.merges.ravel().tolist()) == list(range(2 * m - 2))
    assert (tree.merges < m + np.arange(m - 1)[:, None]).all()
    assert (np.diff(tree.heights) >= 0).all()
    distinct = np.unique(points, axis=0)
    assert (tree.heights[: m - len(distinct)] == 0).all()
    total = np.average((points - np.average(points, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    assert tree.heights.sum() == pytest.approx(weights.sum() * total.sum(), abs=1e-9)


def test_heavy_points_far_apart_stay_longest() -> None:
    points = np.array([[0.0], [1.0], [10.0]])
    assert ward_tree(points).merges[0].tolist() == [0, 1]
    assert ward_tree(points, np.array([1000.0, 1000.0, 1.0])).merges[0].tolist() == [1, 2]


def test_inputs_are_not_written_to() -> None:
    points, weights = np.random.default_rng(0).normal(size=(20, 2)), np.ones(20)
    before = points.copy()
    ward_tree(points, weights)
    np.testing.assert_array_equal(points, before)
    assert (weights == 1).all()


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [1.0]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    with pytest.raises(UsageError, match="a positive weight for each of the 2"):
        ward_tree(np.zeros((2, 1)), np.array(weights))
    with pytest.raises(UsageError, match="at least one point"):
        ward_tree(np.zeros((0, 1)))
