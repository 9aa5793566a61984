import numpy as np
import pytest

from fidsel.campaign.rounds.bounds import error_bounds, least_probes
from fidsel.campaign.settings import ErrorKind
from fidsel.selector import Cheap, Committee, ErrorSource, Latent, Pool, Probe
from fidsel.selector.error_sources.sources import random_rows

N = 1200


def a_pool() -> Pool:
    """Four clusters of different size and error; features tell a part of the error."""
    rng = np.random.default_rng(0)
    clusters = rng.choice(4, N, p=[0.4, 0.3, 0.2, 0.1])
    errors = 0.05 * 1.6**clusters * np.exp(0.4 * rng.normal(size=N))
    features = np.log(errors)[:, None] + 0.2 * rng.normal(size=(N, 3))
    nothing = np.zeros(N)
    return Pool(features, clusters, errors, nothing, np.ones((N, 1)), nothing.astype(bool))


def sources(pool: Pool) -> dict[ErrorKind, ErrorSource]:
    noise = np.exp(0.3 * np.random.default_rng(1).normal(size=N))
    return {
        "cheap": Cheap(pool.errors * noise / 3),
        "committee": Committee(pool.errors * noise / 5),
        "latent": Latent(pool.features, pool.features[:0:-60] - 1.0),
        "probe": Probe(),
    }


def revealed(pool: Pool, rows: np.ndarray) -> np.ndarray:
    known = np.full(N, np.nan)
    known[rows] = pool.errors[rows]
    return known


@pytest.mark.parametrize("kind", ["cheap", "committee", "latent", "probe"])
def test_bounds_hold_for_the_fraction_they_promise(kind: ErrorKind) -> None:
    """Averaged over 200 draws of 60 labels, of the frames that were not drawn."""
    pool = a_pool()
    source, rng, held = sources(pool)[kind], np.random.default_rng(0), []
    for _ in range(200):
        rows = Probe().wants(pool, 60, rng) if kind == "probe" else random_rows(pool, 60, rng)
        known = revealed(pool, rows)
        found = error_bounds(source, kind, pool, known, 0.8, rng)
        assert found.values is not None
        hidden = np.isnan(known)
        held.append((pool.errors[hidden] <= found.values[hidden]).mean())
    assert 0.79 <= np.mean(held) <= 0.87


@pytest.mark.parametrize("kind", ["cheap", "committee"])
def test_a_scale_drops_out_of_the_bounds(kind: ErrorKind) -> None:
    pool = a_pool()
    known = revealed(pool, np.arange(50))
    ours = sources(pool)[kind]
    larger = type(ours)(7.0 * next(iter(vars(ours).values())))
    bounds = [
        error_bounds(source, kind, pool, known, 0.9, np.random.default_rng(0)).values
        for source in (ours, larger)
    ]
    assert bounds[0] is not None
    np.testing.assert_allclose(bounds[0], bounds[1])


def test_record_says_what_each_cluster_is_bounded_by() -> None:
    pool = a_pool()
    known = revealed(pool, np.arange(300))
    found = error_bounds(sources(pool)["cheap"], "cheap", pool, known, 0.9, np.random.default_rng(0))
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
    source = sources(pool)["cheap"]
    found = error_bounds(
        source, "cheap", pool, revealed(pool, rows), 0.9, np.random.default_rng(0), merges
    ).record
    assert set(found["own_factors"]) == {"0", "1"}
    assert [group["clusters"] for group in found["merged"]] == [[2, 3]]
    ratios = np.sort(pool.errors[rows[50:]] / source.estimate(pool, np.full(N, np.nan))[rows[50:]])
    assert found["merged"][0]["factor"] == pytest.approx(ratios[int(np.ceil(21 * 0.9)) - 1])


def test_errors_where_none_is_expected_have_no_bound() -> None:
    pool = a_pool()
    none = Committee(np.zeros(N))
    found = error_bounds(
        none, "committee", pool, revealed(pool, np.arange(50)), 0.9, np.random.default_rng(0)
    )
    assert found.values is None
    assert "no factor bounds it" in found.record["why_none"]


@pytest.mark.parametrize("kind", ["cheap", "committee", "latent", "probe"])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_fewest_labels_are_enough_and_one_less_is_not(kind: ErrorKind, coverage: float) -> None:
    pool, one = a_pool(), np.random.default_rng(0)
    least, rows = least_probes(kind, coverage), np.flatnonzero(a_pool().clusters == 0)
    for count, enough in ((least, True), (least - 1, False)):
        found = error_bounds(sources(pool)[kind], kind, pool, revealed(pool, rows[:count]), coverage, one)
        assert (found.values is not None) == enough
        assert enough or "why_none" in found.record
