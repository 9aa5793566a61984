import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidsel.campaign.selection.held_out import set_errors, worst_clusters
from fidsel.exceptions import UsageError


def test_worst_clusters_are_five_of_those_with_twenty_frames() -> None:
    errors = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0], [20, 20, 20, 20, 20, 20, 19])
    found = set_errors(errors, np.repeat(np.arange(7), [20, 20, 20, 20, 20, 20, 19]))
    assert found.worst == pytest.approx(np.mean([2, 3, 4, 5, 6]))
    assert found.p99 == 9.0
    assert found.rmse == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_no_populous_cluster_has_no_worst() -> None:
    assert set_errors(np.ones(30), np.arange(30)).worst is None
    assert worst_clusters((), ()) is None


def test_unknown_errors_are_left_out() -> None:
    found = set_errors(np.array([1.0, np.nan, 3.0]), np.array([0, 0, 1]), mae=0.5)
    assert (found.frames, found.mae) == (2, 0.5)
    assert found.rmse == pytest.approx(np.sqrt(5))
    with pytest.raises(UsageError, match="at least one frame whose error is known"):
        set_errors(np.array([np.nan]), np.array([0]))


@given(st.integers(1, 200), st.integers(1, 8), st.integers(0, 100))
def test_the_worst_is_never_better_than_the_mean_cluster(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors, clusters = rng.exponential(size=n), rng.integers(0, k, n)
    found = set_errors(errors, clusters)
    able = [c for c in range(k) if (clusters == c).sum() >= 20]
    if not able:
        assert found.worst is None
        return
    every = [np.sqrt(np.mean(errors[clusters == c] ** 2)) for c in able]
    assert found.worst is not None
    assert np.mean(every) - 1e-9 <= found.worst <= max(every) + 1e-9


def test_frames_of_several_molecules_count_by_their_components() -> None:
    errors, atoms = np.array([1.0, 0.0]), np.array([2, 5])
    assert set_errors(errors, np.array([0, 0]), atoms).rmse == pytest.approx(np.sqrt(2 / 7))
