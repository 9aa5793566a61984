"""Clusters described against plain NumPy, and on frames that are hard to describe."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selected import COUNT, NUMBERS, stretched_water, water_table

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.report import ClusterTable, describe, describe_clusters
from fidsel.selector import cluster_errors, pair_distances


def table(positions: np.ndarray, clusters: list[int], errors: list[float], **more: object) -> ClusterTable:
    frames = Frames.stack([8, 1, 1][: positions.shape[1]], positions)
    return describe_clusters(frames, np.array(clusters), np.array(errors), **more)  # type: ignore[arg-type]


def test_the_stretched_bond_marks_the_stretched_cluster() -> None:
    worst, rest = water_table().rows
    assert (worst.cluster, worst.size, worst.others, worst.share) == (1, 20, 80, 0.2)
    assert (rest.cluster, rest.size, rest.share) == (0, 80, 0.8)
    mark = worst.marks[0]
    assert (mark.label, mark.atoms) == ("O0–H2", (0, 2))
    assert mark.mean == pytest.approx(1.46, abs=0.02)
    assert mark.elsewhere == pytest.approx(0.96, abs=0.01)
    assert 20 < mark.shift < 30
    assert worst.energies is not None
    assert worst.energies.rank == 1.0
    assert rest.energies is not None
    assert rest.energies.rank == 0.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), chunk=st.sampled_from([3, 7, 1 << 21]))
def test_numbers_are_those_of_plain_numpy(seed: int, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 40)), int(rng.integers(1, 5))
    frames = Frames.stack(NUMBERS, 2 * rng.standard_normal((n, 3, 3)), energy=rng.standard_normal(n))
    clusters = rng.integers(0, k, n) * 3
    errors = np.where(rng.random(n) < 0.3, np.nan, rng.random(n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(describe, "CHUNK", chunk)
        found = describe_clusters(frames, clusters, errors)
    distances, known = pair_distances(frames), np.isfinite(errors)
    assert sorted(row.cluster for row in found.rows) == np.unique(clusters).tolist()
    for row in found.rows:
        inside = clusters == row.cluster
        assert (row.size, row.measured) == (inside.sum(), (inside & known).sum())
        assert row.representative is not None
        centre = distances[inside].mean(axis=0)
        nearest = ((distances - centre) ** 2).sum(axis=1)[inside].min()
        here = ((distances[row.representative.row] - centre) ** 2).sum()
        assert here == pytest.approx(nearest, abs=1e-12)
        assert inside[row.representative.row]
        if row.measured:
            assert row.rmse == pytest.approx(np.sqrt((errors[inside & known] ** 2).mean()))
            assert row.worst is not None
            assert errors[row.worst.row] == errors[inside & known].max()
        else:
            assert row.worst is None
            assert np.isnan(row.rmse)
        assert len(row.marks) == (0 if inside.all() else 3)
        for mark in row.marks:
            pair = [(0, 1), (0, 2), (1, 2)].index(mark.atoms)
            ours, theirs = distances[inside, pair], distances[~inside, pair]
            assert mark.mean == pytest.approx(ours.mean())
            assert mark.spread == pytest.approx(ours.std(), abs=1e-6)
            assert mark.elsewhere == pytest.approx(theirs.mean())
            assert mark.elsewhere_spread == pytest.approx(theirs.std(), abs=1e-6)
        shifts = [abs(mark.shift) for mark in row.marks]
        assert shifts == sorted(shifts, reverse=True)
    rmse = [row.rmse for row in found.rows if row.measured]
    assert rmse == sorted(rmse, reverse=True)
    assert all(row.measured for row in found.rows[: len(rmse)]), "unknown errors stand last"


def test_small_spreads_survive_long_distances() -> None:
    x = np.zeros((200, 2, 3))
    x[:, 1, 0] = 900.0 + np.tile([-1e-5, 1e-5], 100)
    mark = table(x, [0] * 100 + [1] * 100, [0.1] * 200).rows[0].marks[0]
    assert mark.spread == pytest.approx(1e-5, rel=1e-3)


def test_distances_that_never_vary_do_not_mark_by_their_noise() -> None:
    x = np.zeros((4, 2, 3))
    x[:, 1, 0] = [1.0, 1.0, 1.0, 1.0 + 1e-9]
    for row in table(x, [0, 0, 1, 1], [0.1] * 4).rows:
        assert abs(row.marks[0].shift) < 1e-5


def test_one_cluster_and_one_frame() -> None:
    rng = np.random.default_rng(0)
    (row,) = table(rng.random((5, 3, 3)), [4] * 5, [0.1, 0.3, np.nan, 0.2, 0.1]).rows
    assert (row.cluster, row.others, row.marks) == (4, 0, ())
    assert row.worst is not None
    assert row.worst.row == 1
    found = table(rng.random((1, 3, 3)), [0], [np.nan])
    assert found.rows[0].worst is None
    assert found.rows[0].representative is not None
    assert np.isnan(found.overall)
    assert np.isnan(found.lowest)


def test_single_atoms_have_no_distances() -> None:
    (first, second) = table(np.zeros((3, 1, 3)), [0, 0, 1], [0.1, 0.1, 0.5]).rows
    assert (first.cluster, second.cluster) == (1, 0)
    assert first.marks == ()
    assert first.representative is None
    assert first.worst is not None


def test_mixed_compositions_have_neither_distances_nor_energies() -> None:
    water = Frames.stack(NUMBERS, np.random.default_rng(0).random((3, 3, 3)), energy=[-76.0] * 3)
    oxygen = Frames.stack([8, 8], np.random.default_rng(1).random((2, 2, 3)), energy=[-150.0] * 2)
    clusters, errors = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.1, 0.1, 0.4])
    found = describe_clusters(water + oxygen, clusters, errors)
    assert "2 compositions, so neither distances nor energies" in found.notes[0]
    for row in found.rows:
        assert (row.marks, row.energies, row.representative) == ((), None, None)
        assert row.worst is not None
    assert {row.cluster: row.molecules for row in found.rows} == {
        0: (("H2O", 2),),
        1: (("O2", 2), ("H2O", 1)),
    }
    named = describe_clusters(water + oxygen, clusters, errors, molecules=["a", "b", "a", "c", "c"])
    assert {row.cluster: row.molecules for row in named.rows}[0] == (("a", 1), ("b", 1))
    alone = describe_clusters(water, clusters[:3], errors[:3])
    assert all(row.molecules == () for row in alone.rows)
    features = np.array([[0.0], [1.0], [5.0], [6.0], [8.0]])
    found = describe_clusters(water + oxygen, clusters, errors, features=features, weights=np.full(5, 2.0))
    middle = {row.cluster: row.representative.row for row in found.rows if row.representative}
    assert middle == {0: 0, 1: 3}


def test_atoms_in_another_order_keep_their_energies() -> None:
    x = np.random.default_rng(0).random((2, 3, 3))
    both = Frames.stack([8, 1, 1], x, energy=[1.0, 2.0]) + Frames.stack([1, 8, 1], x, energy=[3.0, 4.0])
    found = describe_clusters(both, np.array([0, 0, 1, 1]), np.full(4, 0.1))
    assert "different orders" in found.notes[0]
    assert [row.energies.low for row in found.rows if row.energies] == [1.0, 3.0]


def test_unknown_energies_are_left_out() -> None:
    frames, clusters, errors = stretched_water()
    energies = np.where(clusters == 1, np.nan, np.arange(COUNT))
    found = describe_clusters(frames, clusters, errors, energies)
    worst, rest = found.rows
    assert worst.energies is None
    assert rest.energies is not None
    assert (rest.energies.low, rest.energies.high) == (1.0, 99.0)
    assert np.isnan(rest.energies.rank), "no other energies are known"
    assert found.lowest == 1.0


def test_frames_keep_the_names_a_reader_knows_them_by() -> None:
    frames, clusters, errors = stretched_water()
    found = describe_clusters(frames, clusters, errors, rows=1000 + np.arange(COUNT))
    row = found.rows[0]
    assert row.worst is not None
    assert row.worst.row == 1000 + int(np.argmax(errors))
    assert row.worst.atoms.positions == pytest.approx(frames[int(np.argmax(errors))].positions)


def test_errors_are_weighted_as_cluster_errors_are() -> None:
    frames, clusters, errors = stretched_water()
    weights = 1.0 + np.arange(COUNT)
    found = describe_clusters(frames, clusters, errors, weights=weights)
    assert found.overall == pytest.approx(cluster_errors(clusters, errors, weights).overall)


def test_bad_arguments() -> None:
    frames, clusters, errors = stretched_water()
    with pytest.raises(UsageError, match=r"clusters must have one entry per frame \(100\), got 99"):
        describe_clusters(frames, clusters[1:], errors)
    with pytest.raises(UsageError, match=r"rows must have one entry per frame \(100\), got 2"):
        describe_clusters(frames, clusters, errors, rows=np.arange(2))
    with pytest.raises(UsageError, match="no frames to describe"):
        describe_clusters(frames[:0], clusters[:0], errors[:0])
