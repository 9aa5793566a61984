import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.selector import ClusterErrors, cluster_errors
from fidsel.selector.cluster_error import worst_clusters


@given(seed=st.integers(0, 1000), n=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_is_the_rmse_over_all_components_of_a_cluster(seed: int, n: int) -> None:
    """Frames of different sizes weigh by their atoms; a brute-force loop over components agrees."""
    rng = np.random.default_rng(seed)
    sizes, clusters = rng.integers(1, 6, n), rng.integers(0, 4, n)
    residuals = [rng.normal(scale=1 + c, size=(size, 3)) for size, c in zip(sizes, clusters, strict=True)]
    rmse = np.array([np.sqrt((r**2).mean()) for r in residuals])
    mae = np.array([np.abs(r).mean() for r in residuals])
    errors = cluster_errors(clusters, rmse, sizes.astype(float), mae)
    assert list(errors.rmse) == sorted(errors.rmse)
    for c, value, absolute, count in zip(
        errors.cluster, errors.rmse, errors.mae, errors.population, strict=True
    ):
        members = np.concatenate([r.ravel() for r, own in zip(residuals, clusters, strict=True) if own == c])
        assert value == pytest.approx(np.sqrt((members**2).mean()))
        assert absolute == pytest.approx(np.abs(members).mean())
        assert count == (clusters == c).sum()
        assert errors.rmse_of(c) == value
    everything = np.concatenate([r.ravel() for r in residuals])
    assert errors.overall == pytest.approx(np.sqrt((everything**2).mean()))
    assert errors.worst == max(errors.rmse)


def test_unknown_errors_are_left_out_and_counted() -> None:
    clusters = np.array([0, 0, 1, 2, 2])
    errors = cluster_errors(clusters, np.array([3.0, np.nan, np.nan, 1.0, 1.0]))
    assert errors.cluster == (2, 0, 1)
    assert errors.rmse[:2] == (1.0, 3.0)
    assert np.isnan(errors.rmse[2])
    assert errors.population == (2, 2, 1)
    assert errors.measured == (2, 1, 0)
    assert errors.overall == pytest.approx(np.sqrt(11 / 3))
    assert errors.worst == 3.0


def test_survives_json() -> None:
    clusters, rmse = np.array([5, 5, 1, 0]), np.array([0.1, 0.3, np.nan, 0.2])
    for mae in (None, rmse * 0.8):
        errors = cluster_errors(clusters, rmse, frame_mae=mae)
        text = json.dumps(errors.to_dict(), allow_nan=False)
        back = ClusterErrors.from_dict(json.loads(text))
        assert json.dumps(back.to_dict()) == text
        np.testing.assert_array_equal(back.rmse, errors.rmse)
        assert len(back) == 3


def test_unusable_errors_are_refused() -> None:
    clusters = np.array([0, 1])
    for bad in ([np.nan, np.nan], [-1.0, 0.0], [np.inf, 0.0]):
        with pytest.raises(UsageError, match="finite and ≥ 0"):
            cluster_errors(clusters, np.array(bad))
    with pytest.raises(UsageError, match="clusters must have one entry"):
        cluster_errors(clusters[:1], np.ones(2))
    with pytest.raises(UsageError, match="positive"):
        cluster_errors(clusters, np.ones(2), np.array([0.0, 1.0]))
    with pytest.raises(UsageError, match="no cluster 7"):
        cluster_errors(clusters, np.ones(2)).rmse_of(7)


def test_worst_clusters_are_five_of_those_with_twenty_frames() -> None:
    sizes = [20, 20, 20, 20, 20, 20, 19]
    errors = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0], sizes)
    found = cluster_errors(np.repeat(np.arange(7), sizes), errors)
    assert worst_clusters(found) == pytest.approx(np.mean([2, 3, 4, 5, 6]))
    assert worst_clusters(cluster_errors(np.arange(30), np.ones(30))) is None


def test_frames_whose_error_is_unknown_make_no_cluster_populous() -> None:
    clusters, errors = np.repeat([0, 1], 20), np.repeat([1.0, 5.0], 20)
    errors[-1] = np.nan
    assert worst_clusters(cluster_errors(clusters, errors)) == pytest.approx(1.0)


@given(st.integers(1, 200), st.integers(1, 8), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_the_worst_is_never_better_than_the_mean_cluster(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors, clusters = rng.exponential(size=n), rng.integers(0, k, n)
    found = worst_clusters(cluster_errors(clusters, errors))
    able = [c for c in range(k) if (clusters == c).sum() >= 20]
    if not able:
        assert found is None
        return
    every = [np.sqrt(np.mean(errors[clusters == c] ** 2)) for c in able]
    assert found is not None
    assert np.mean(every) - 1e-9 <= found <= max(every) + 1e-9
