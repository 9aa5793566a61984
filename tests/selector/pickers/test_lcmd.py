from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fidsel.exceptions import UsageError
from fidsel.selector import LCMD, FarthestPoint, Pool
from fidsel.testing.picker import example_pool


def brute(pool: Pool, weights: np.ndarray, n: int) -> list[int]:
    """The definition, one pick at a time."""
    square = cdist(pool.features, pool.features) ** 2
    centres, picks = np.flatnonzero(pool.labelled).tolist(), []
    for _ in range(n):
        owner = np.array(centres)[square[:, centres].argmin(axis=1)]
        value = weights * square[np.arange(len(pool)), owner]
        value[centres] = 0
        largest = max(centres, key=lambda c: value[owner == c].sum())
        picks.append(int(np.where(owner == largest, value, -1).argmax()))
        centres.append(picks[-1])
    return picks


def random_pool(seed: int) -> Pool:
    rng = np.random.default_rng(seed)
    n = 300
    labelled = np.zeros(n, dtype=bool)
    labelled[rng.choice(n, 8, replace=False)] = True
    return Pool(
        rng.normal(size=(n, 4)) * [4, 2, 1, 0.1], np.zeros(n, int), rng.uniform(0.1, 1, n) ** 3, np.zeros(n),
        np.ones((n, 1)), labelled,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_against_the_definition(seed: int) -> None:
    pool, rng = random_pool(seed), np.random.default_rng(0)
    assert LCMD().pick(pool, 80, rng).indices.tolist() == brute(pool, np.ones(300), 80)
    assert LCMD("errors").pick(pool, 80, rng).indices.tolist() == brute(pool, pool.errors, 80)


def test_errors_weigh_per_cost() -> None:
    pool = replace(random_pool(0), costs=np.random.default_rng(1).uniform(1.0, 4.0, (300, 2)))
    picks = LCMD("errors").pick(pool, 40).indices.tolist()
    assert picks == brute(pool, pool.errors / pool.costs.sum(axis=1), 40)
    assert LCMD().pick(pool, 40).indices.tolist() == brute(pool, np.ones(300), 40)


def test_equal_errors_weigh_nothing() -> None:
    rng = np.random.default_rng(0)
    pool = replace(example_pool(), costs=np.ones((60, 1)))
    plain = LCMD().pick(pool, 20, rng).indices.tolist()
    for errors in (0.0, 1e-30, 0.3):
        level = replace(pool, errors=np.full(len(pool), errors))
        assert LCMD("errors").pick(level, 20, rng).indices.tolist() == plain


def test_many_frames_come_before_a_lone_outlier() -> None:
    """200 frames at distance 5 and one at distance 20: farthest-point goes to the one."""
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(300, 2)), [[-20.0, 0.0]]])
    features[100:300, 0] += 5.0
    n, labelled = len(features), np.arange(301) < 20
    pool = Pool(features, np.zeros(n, int), np.full(n, np.nan), np.zeros(n), np.ones((n, 1)), labelled)
    first = LCMD().pick(pool, 1, rng).indices[0]
    assert 100 <= first < 300
    assert FarthestPoint().pick(pool, 1, rng).indices[0] == 300


def test_large_errors_draw_picks() -> None:
    pool = replace(example_pool(), costs=np.ones((60, 1)))
    picks = LCMD("errors").pick(replace(pool, errors=pool.errors**4), 6, np.random.default_rng(0))
    assert set(picks.cluster) == {2}


def test_zero_errors_come_last() -> None:
    pool = example_pool()
    errors = np.where(pool.clusters == 2, 0.3, 0.0)
    few = int(((pool.clusters == 2) & ~pool.labelled).sum())
    picks = LCMD("errors").pick(replace(pool, errors=errors), few + 3, np.random.default_rng(0))
    assert set(picks.cluster[:few]) == {2}
    assert 2 not in picks.cluster[few:]


def test_reason_tells_the_cluster() -> None:
    picks = LCMD().pick(example_pool(), 2, np.random.default_rng(0))
    assert "in the largest cluster around a frame labelled or picked (" in picks.reason[0]
    assert "% of the squared distances)" in picks.reason[1]


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match="did you mean 'errors'"):
        LCMD("error")  # type: ignore[arg-type]
