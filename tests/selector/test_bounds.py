import numpy as np
import pytest

from fidsel.selector import Cheap, Committee, Evidence, Pool, error_source
from fidsel.selector.bounds import error_bounds, least_probes

N = 1200


def a_pool() -> Pool:
    """Four clusters of different size and error; features tell a part of the error."""
    rng = np.random.default_rng(0)
    clusters = rng.choice(4, N, p=[0.4, 0.3, 0.2, 0.1])
    errors = 0.05 * 1.6**clusters * np.exp(0.4 * rng.normal(size=N))
    features = np.log(errors)[:, None] + 0.2 * rng.normal(size=(N, 3))
    nothing = np.zeros(N)
    return Pool(features, clusters, errors, nothing, np.ones((N, 1)), nothing.astype(bool))


def told(pool: Pool, scale: float = 1.0) -> Evidence:
    noise = np.exp(0.3 * np.random.default_rng(1).normal(size=N))
    return Evidence(
        cheap_errors=lambda: scale * pool.errors * noise / 3,
        disagreement=lambda: scale * pool.errors * noise / 5,
        latent=lambda: (pool.features, pool.features[:0:-60] - 1.0),
    )


def revealed(pool: Pool, rows: np.ndarray) -> np.ndarray:
    known = np.full(N, np.nan)
    known[rows] = pool.errors[rows]
    return known


@pytest.mark.parametrize("kind", ["cheap", "committee", "latent", "probe"])
def test_bounds_hold_for_the_fraction_they_promise(kind: str) -> None:
    """Averaged over 200 draws of 60 labels, of the frames that were not drawn."""
    pool = a_pool()
    source, evidence, rng, held = error_source(kind), told(pool), np.random.default_rng(0), []
    for _ in range(200):
        known = revealed(pool, source.draw(pool, 60, rng))
        found = error_bounds(source, pool, known, 0.8, rng, evidence=evidence)
        assert found.values is not None
        hidden = np.isnan(known)
        held.append((pool.errors[hidden] <= found.values[hidden]).mean())
    assert 0.79 <= np.mean(held) <= 0.87


@pytest.mark.parametrize("kind", ["cheap", "committee"])
def test_a_scale_drops_out_of_the_bounds(kind: str) -> None:
    pool = a_pool()
    known = revealed(pool, np.arange(50))
    bounds = [
        error_bounds(
            error_source(kind), pool, known, 0.9, np.random.default_rng(0), evidence=told(pool, scale)
        ).values
        for scale in (1.0, 7.0)
    ]
    assert bounds[0] is not None
    np.testing.assert_allclose(bounds[0], bounds[1])


def test_record_says_what_each_cluster_is_bounded_by() -> None:
    pool = a_pool()
    known = revealed(pool, np.arange(300))
    found = error_bounds(Cheap(), pool, known, 0.9, np.random.default_rng(0), evidence=told(pool))
    assert found.values is not None
    assert set(found.record["clusters"]) == {"0", "1", "2", "3"}
    inside = pool.clusters == 3
    assert found.record["clusters"]["3"] == pytest.approx(np.sqrt((found.values[inside] ** 2).mean()))
    assert set(found.record["own_factors"]) == {"0", "1", "2", "3"}
    assert found.record["frames"] == 300


def test_small_clusters_share_a_factor() -> None:
    """Of 60 labels clusters 2 and 3 have fewer than 20 each."""
    pool, merges = a_pool(), np.array([[2, 3], [0, 1], [4, 5]])
    rows = np.concatenate(
        [np.flatnonzero(pool.clusters == c)[:count] for c, count in enumerate((25, 25, 12, 8))]
    )
    found = error_bounds(
        Cheap(), pool, revealed(pool, rows), 0.9, np.random.default_rng(0), evidence=told(pool), merges=merges
    ).record
    assert set(found["own_factors"]) == {"0", "1"}
    assert [group["clusters"] for group in found["merged"]] == [[2, 3]]
    ratios = np.sort(
        pool.errors[rows[50:]] / Cheap().estimate(pool, np.full(N, np.nan), told(pool))[rows[50:]]
    )
    assert found["merged"][0]["factor"] == pytest.approx(ratios[int(np.ceil(21 * 0.9)) - 1])


def test_errors_where_none_is_expected_have_no_bound() -> None:
    pool = a_pool()
    none = Evidence(disagreement=lambda: np.zeros(N))
    known = revealed(pool, np.arange(50))
    found = error_bounds(Committee(), pool, known, 0.9, np.random.default_rng(0), evidence=none)
    assert found.values is None
    assert "no factor bounds it" in found.record["why_none"]


@pytest.mark.parametrize("kind", ["cheap", "committee", "latent", "probe"])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_fewest_labels_are_enough_and_one_less_is_not(kind: str, coverage: float) -> None:
    pool, one = a_pool(), np.random.default_rng(0)
    source = error_source(kind)
    least, rows = least_probes(source, coverage), np.flatnonzero(a_pool().clusters == 0)
    for count, enough in ((least, True), (least - 1, False)):
        known = revealed(pool, rows[:count])
        found = error_bounds(source, pool, known, coverage, one, evidence=told(pool))
        assert (found.values is not None) == enough
        assert enough or "why_none" in found.record
