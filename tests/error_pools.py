"""A pool with known errors, of which some are told."""

import numpy as np

from fidsel.selector import Pool


def big_pool(seed: int = 0) -> Pool:
    """2000 frames in 10 clusters from very good to very bad, their sizes uneven."""
    rng = np.random.default_rng(seed)
    clusters = rng.choice(10, 2000, p=np.arange(1, 11) / 55)
    errors = 0.02 * 1.3**clusters * np.exp(0.3 * rng.normal(size=2000))
    labelled = rng.random(2000) < 0.05
    return Pool(rng.normal(size=(2000, 2)), clusters, errors, np.zeros(2000), np.ones((2000, 1)), labelled)


def reveal(pool: Pool, rows: np.ndarray) -> np.ndarray:
    """Return the errors of some rows, NaN elsewhere."""
    known = np.full(len(pool), np.nan)
    known[rows] = pool.errors[rows]
    return known
