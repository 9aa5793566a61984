from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import (
    ClusterError,
    ErrorSource,
    Evidence,
    FarthestPoint,
    Greedy,
    Picks,
    Pool,
    Random,
    VarianceReduction,
    error_source,
)
from fidsel.selector.error_sources.source import NOTHING
from fidsel.selector.step import ALIKE, Draw, Step, paid_by
from fidsel.testing.picker import example_pool, with_covariance

POOL = example_pool()
FREE, TAKEN = np.flatnonzero(~POOL.labelled), np.flatnonzero(POOL.labelled)


def drawn(seed: int) -> Draw:
    """Return independent random numbers by purpose."""
    return lambda purpose: np.random.default_rng([seed, len(purpose)])


def revealed(rows: np.ndarray) -> np.ndarray:
    known = np.full(len(POOL), np.nan)
    known[rows] = POOL.errors[rows]
    return known


def test_the_worst_frames_by_estimate_are_proposed() -> None:
    told = Evidence(cheap_errors=lambda: POOL.errors / 3)
    found = Step(Greedy(), error_source("cheap")).propose(
        POOL, revealed(FREE[:0]), 4, drawn(0), evidence=told
    )
    worst = FREE[np.argsort(-(POOL.errors / POOL.costs.sum(axis=1))[FREE], kind="stable")][:4]
    assert found.picks.indices.tolist() == worst.tolist()
    assert found.errors is not None
    np.testing.assert_allclose(found.errors, POOL.errors / 3)
    assert found.bounds is None


def test_frames_that_cannot_be_labelled_are_not_picked_but_help_to_estimate() -> None:
    able = np.ones(len(POOL), dtype=bool)
    worst = FREE[np.argsort(-POOL.errors[FREE])][:10]
    able[worst] = False
    step = Step(Greedy(), error_source("probe"))
    found = step.propose(POOL, revealed(worst), 4, drawn(0), able=able)
    assert not set(found.picks.indices.tolist()) & set(worst.tolist())
    assert found.errors is not None
    np.testing.assert_array_equal(found.errors[worst], POOL.errors[worst])
    everything = step.propose(POOL, revealed(worst), 4, drawn(0))
    np.testing.assert_array_equal(found.errors, everything.errors)
    cut = Step(Greedy(), error_source("reference")).propose(POOL[able], POOL.errors[able], 4, drawn(0))
    whole = Step(Greedy(), error_source("reference")).propose(POOL, POOL.errors, 4, drawn(0), able=able)
    assert np.flatnonzero(able)[cut.picks.indices].tolist() == whole.picks.indices.tolist()


def test_no_more_than_there_are_is_proposed() -> None:
    found = Step(FarthestPoint(), error_source("reference")).propose(POOL, POOL.errors, 1000, drawn(0))
    assert sorted(found.picks.indices.tolist()) == FREE.tolist()
    nothing = replace(POOL, labelled=np.ones(len(POOL), dtype=bool))
    assert (
        len(Step(FarthestPoint(), error_source("probe")).propose(nothing, POOL.errors, 3, drawn(0)).picks)
        == 0
    )


def test_errors_are_estimated_only_for_pickers_that_look_at_them() -> None:
    step = Step(FarthestPoint(), error_source("committee"))
    assert not step.estimates
    assert not step.probes
    assert len(step.draw_probes(POOL, 5, drawn(0))) == 0
    assert step.propose(POOL, POOL.errors, 3, drawn(0)).errors is None


def test_where_a_source_that_learns_knows_nothing_picks_are_random() -> None:
    step = Step(Greedy(), error_source("probe"))
    found = step.propose(POOL, revealed(FREE[:0]), 5, drawn(0))
    other = step.propose(POOL, revealed(FREE[:0]), 5, drawn(1))
    assert found.errors is None
    assert found.picks.indices.tolist() != other.picks.indices.tolist()
    assert all("at random" in why for why in found.picks.reason)


@pytest.mark.parametrize(
    ("error", "coverage", "count"), [("cheap", None, 0), ("cheap", 0.8, 6), ("probe", None, 6)]
)
def test_probes_are_drawn_to_learn_or_to_bound(error: str, coverage: float | None, count: int) -> None:
    step = Step(Greedy(), error_source(error), coverage)
    rows = step.draw_probes(POOL, 6, drawn(0))
    assert len(rows) == count
    assert not POOL.labelled[rows].any()


def test_bounds_come_with_a_coverage() -> None:
    rows = FREE[:20]
    told = Evidence(disagreement=lambda: POOL.errors / 2)
    pool = replace(POOL, labelled=POOL.labelled | np.isin(np.arange(len(POOL)), rows))
    step = Step(Greedy(), error_source("committee"), 0.8)
    bounds = step.propose(pool, revealed(rows), 3, drawn(0), evidence=told).bounds
    assert bounds is not None
    assert bounds.values is not None
    np.testing.assert_allclose(bounds.values, POOL.errors)  # every ratio of error and estimate is 2
    few = step.propose(pool, revealed(rows[:2]), 3, drawn(0), evidence=told).bounds
    assert few is not None
    assert few.values is None
    assert "needs at least 4 calibration frames, got 2" in few.record["why_none"]


def test_parts_of_a_pool_are_frames_of_it() -> None:
    rows = np.array([5, 2, 40])
    some = POOL[rows]
    for name in ("features", "clusters", "errors", "energies", "costs", "labelled"):
        np.testing.assert_array_equal(getattr(some, name), getattr(POOL, name)[rows])
    bare = Pool.of(POOL.features, costs=np.tile([0.1, 1.0], (60, 1)))
    assert np.isnan(bare.errors).all()
    assert not bare.labelled.any()
    assert bare.costs.shape == (60, 2)
    assert not bare.clusters.any()


def two_molecules() -> Pool:
    """Frames of three clusters; those of the last err most and cost 4, the others 1."""
    of = np.repeat([0, 1, 2], 100)
    features = 20.0 * of[:, None] + np.random.default_rng(0).normal(size=(300, 3))
    errors, costs = np.array([0.2, 0.25, 1.0])[of], np.array([1.0, 1.0, 4.0])[of]
    return Pool.of(features, errors, clusters=of, costs=costs)


@pytest.mark.parametrize("strategy", ["worst", "population"])
def test_money_says_how_many_where_frames_cost_unlike_much(strategy: Literal["worst", "population"]) -> None:
    """They are what the picker takes of that number, with notes that tell of no other."""
    pool, picker = two_molecules(), ClusterError(strategy=strategy, fine_clusters=10, threshold=1.0)
    step = Step(picker, error_source("cheap"))

    def proposed(pool: Pool, n: int, money: float | None, more: bool = True) -> Picks:
        told = Evidence(cheap_errors=lambda: pool.errors)
        unknown = np.full(300, np.nan)
        return step.propose(pool, unknown, n, drawn(0), evidence=told, money=money, more=more).picks

    found = proposed(pool, 8, 24.0)
    costs = pool.costs[found.indices, 0]
    assert 20.0 <= costs.sum() <= 24.0
    assert set(costs) == {1.0, 4.0}
    whole = proposed(pool, len(found), None)
    assert found.indices.tolist() == whole.indices.tolist()
    assert found.notes == whole.notes
    even = replace(pool, costs=np.full((300, 1), 2.0))
    assert len(proposed(even, 8, 1.0)) == 8
    assert len(proposed(pool, 8, 0.5)) == 1, "one at least"
    few = proposed(pool, 8, 1000.0, more=False)
    assert few.indices.tolist() == proposed(pool, 8, None).indices.tolist(), "as many as asked for, no more"
    fewer = proposed(pool, 8, 5.0, more=False)
    assert 1 <= len(fewer) < 8
    assert pool.costs[fewer.indices, 0].sum() <= 5.0


def test_picks_are_cut_where_the_money_ends() -> None:
    each = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0])
    picks = Picks(np.array([3, 0, 1, 2]), np.zeros(4, int), np.zeros(4, int), ("a", "b", "c", "d"))
    assert paid_by(each, picks, money=5.0).indices.tolist() == [3, 0]
    assert paid_by(each, picks, money=6.1).reason == ("a", "b", "c")
    assert paid_by(each, picks, money=0.5).indices.tolist() == [3], "one at least"


CHAIN = np.array([[0, 1], [2, 3], [4, 5]])
"""Four clusters: 0 joins 1, 2 joins 3, then both pairs."""


def test_one_probe_of_a_cluster_steers_no_picks() -> None:
    """Two known errors, the higher one in cluster 0: its frames would have the highest estimate of all."""
    rows = [FREE[POOL.clusters[FREE] == c][0] for c in (0, 1)]
    known = np.full(len(POOL), np.nan)
    known[rows] = 0.2, 0.1
    step = Step(ClusterError(), error_source("probe"))
    alone = step.propose(POOL, known, 6, drawn(0))
    assert set(POOL.clusters[alone.picks.indices]) == {0}
    found = step.propose(POOL, known, 6, drawn(0), merges=CHAIN)
    assert found.picks.notes == (ALIKE,)
    assert all("drawn at random" in why for why in found.picks.reason)
    assert len(set(POOL.clusters[found.picks.indices])) > 1


def test_clusters_with_few_probes_share_an_error() -> None:
    """Three known errors in clusters 2 and 3, which meet first, and three in 0: 1 joins 0."""
    at = {c: FREE[POOL.clusters[FREE] == c] for c in range(4)}
    known = np.full(len(POOL), np.nan)
    known[[*at[2][:2], *at[3][:1], *at[0][:3]]] = 0.3, 0.32, 0.28, 0.1, 0.09, 0.11
    found = Step(ClusterError(), error_source("probe")).propose(POOL, known, 6, drawn(0), merges=CHAIN)
    assert found.errors is not None
    unknown = np.isnan(known)
    each = [set(found.errors[(POOL.clusters == c) & unknown].tolist()) for c in range(4)]
    assert each[0] == each[1]
    assert each[2] == each[3]
    assert min(each[2]) > max(each[0])
    assert set(POOL.clusters[found.picks.indices]) <= {2, 3}
    assert ALIKE not in found.picks.notes


def test_a_picker_that_reads_a_covariance_gets_that_of_the_evidence() -> None:
    told = with_covariance(POOL)
    step = Step(VarianceReduction(), error_source("cheap"))
    able = np.arange(len(POOL)) % 2 == 0
    found = step.propose(
        POOL,
        revealed(FREE[:0]),
        4,
        drawn(0),
        evidence=Evidence(covariance=lambda: told.covariance),
        able=able,
    )
    direct = VarianceReduction().pick(told[np.flatnonzero(able)], 4, drawn(0)("picks"))
    assert found.picks.indices.tolist() == np.flatnonzero(able)[direct.indices].tolist()
    assert found.errors is None


@dataclass(frozen=True)
class Own:
    """A user's picker, right on the pool of the contract's check alone."""

    needs_errors = False

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        rows = Random().pick(pool, n, rng)
        return rows if len(pool) == len(POOL) else replace(rows, indices=np.roll(rows.indices, 1) * 0)


def test_rows_that_a_users_picker_may_not_return_are_refused_on_every_pool() -> None:
    step, able = Step(Own(), error_source("reference")), np.arange(len(POOL)) < 40
    assert len(step.propose(POOL, revealed(FREE), 4, drawn(0)).picks) == 4
    with pytest.raises(UsageError, match=r"Own\.pick must not return rows that"):
        step.propose(POOL, revealed(FREE), 4, drawn(0), able=able)


class Guess(ErrorSource):
    """A user's error source, which returns what it is told to."""

    name = "guess"
    needs_probes = True
    rows: Any = FREE[:2]
    errors: Any = np.ones(len(POOL))

    def draw(self, pool: Pool, n: int, rng: np.random.Generator) -> Any:  # noqa: ARG002
        return self.rows

    def estimate(self, pool: Pool, known: np.ndarray, evidence: Evidence = NOTHING) -> Any:  # noqa: ARG002
        return self.errors


@pytest.mark.parametrize(
    "rows", [TAKEN[:2], FREE[[0, 0]], -FREE[1:3], FREE[:2] + 60, FREE[:2] * 1.0, FREE[:3], None]
)
def test_rows_that_a_users_source_may_not_draw_are_refused(rows: Any) -> None:
    source = Guess()
    assert Step(Greedy(), source).draw_probes(POOL, 2, drawn(0)).tolist() == FREE[:2].tolist()
    source.rows = rows
    with pytest.raises(UsageError, match=r"Guess\.draw must return at most 2 unlabelled rows of the pool"):
        Step(Greedy(), source).draw_probes(POOL, 2, drawn(0))


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (np.ones(3), r"must have shape \(60,\)"),
        (np.ones((60, 1)), r"must have shape \(60,\)"),
        (None, r"must have shape \(60,\)"),
        (np.full(60, -1.0), "must be finite errors ≥ 0"),
        (np.full(60, np.inf), "must be finite errors ≥ 0"),
        (["a"] * 60, "must be real numbers"),
    ],
)
def test_errors_that_a_users_source_may_not_estimate_are_refused(errors: Any, message: str) -> None:
    source = Guess()
    source.errors = [1.0] * len(POOL)
    assert len(Step(Greedy(), source).propose(POOL, revealed(FREE[:4]), 3, drawn(0)).picks) == 3
    source.errors = errors
    with pytest.raises(UsageError, match=rf"Guess\.estimate {message}"):
        Step(Greedy(), source).propose(POOL, revealed(FREE[:4]), 3, drawn(0))
