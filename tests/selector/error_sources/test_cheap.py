import numpy as np
import pytest
from error_pools import big_pool, reveal

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector import Cheap, Evidence
from fidsel.testing.picker import example_pool


def told(errors: FloatArray) -> Evidence:
    return Evidence(cheap_errors=lambda: errors)


def test_cheap_errors_are_scaled_by_known_ones() -> None:
    pool = big_pool()
    cheap = pool.errors / 3.0
    np.testing.assert_allclose(
        Cheap().estimate(pool, reveal(pool, np.arange(5)), told(cheap)), pool.errors, rtol=1e-12
    )
    unscaled = Cheap().estimate(pool, np.full(len(pool), np.nan), told(cheap))
    np.testing.assert_array_equal(unscaled, cheap)


def test_cheap_fills_seen_frames_with_their_clusters_error() -> None:
    pool = example_pool()
    cheap = pool.errors.copy()
    first = np.flatnonzero(pool.clusters == 1)[:3]
    cheap[first] = np.nan
    cheap[pool.clusters == 3] = np.nan
    estimate = Cheap().estimate(pool, np.full(len(pool), np.nan), told(cheap))
    others = np.setdiff1d(np.flatnonzero(pool.clusters == 1), first)
    np.testing.assert_allclose(estimate[first], np.sqrt((pool.errors[others] ** 2).mean()))
    rest = ~np.isnan(cheap)
    np.testing.assert_allclose(estimate[pool.clusters == 3], np.sqrt((pool.errors[rest] ** 2).mean()))
    with pytest.raises(UsageError, match="cheap labels the model has not seen"):
        Cheap().estimate(pool, pool.errors, told(np.full(len(pool), np.nan)))
    with pytest.raises(UsageError, match=r"cheap_errors must have shape \(60,\)"):
        Cheap().estimate(pool, pool.errors, told(cheap[1:]))
