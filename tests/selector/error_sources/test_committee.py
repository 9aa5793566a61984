import numpy as np
import pytest
from error_pools import big_pool, reveal

from fidsel.arrays import FloatArray
from fidsel.exceptions import UsageError
from fidsel.selector import Cheap, Committee, Evidence


def told(disagreement: FloatArray) -> Evidence:
    return Evidence(disagreement=lambda: disagreement)


def test_disagreement_is_scaled_like_cheap_errors() -> None:
    pool = big_pool()
    known, disagreement = reveal(pool, np.arange(40)), pool.errors * np.exp(0.2 * pool.features[:, 0]) / 4
    disagreement[50:60] = np.nan
    estimate = Committee().estimate(pool, known, told(disagreement))
    np.testing.assert_array_equal(
        estimate, Cheap().estimate(pool, known, Evidence(cheap_errors=lambda: disagreement))
    )
    assert estimate[60:].mean() == pytest.approx(pool.errors[60:].mean(), rel=0.1)
    unscaled = Committee().estimate(pool, np.full(len(pool), np.nan), told(disagreement))
    np.testing.assert_array_equal(unscaled[60:], disagreement[60:])
    assert len(Committee().wants(pool, 10, np.random.default_rng(0))) == 0
    with pytest.raises(UsageError, match="disagreement of a committee, got none"):
        Committee().estimate(pool, known, told(disagreement * np.nan))
    with pytest.raises(UsageError, match="disagreement must be finite errors ≥ 0"):
        Committee().estimate(pool, known, told(-disagreement))
