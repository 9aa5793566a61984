"""Every built-in picker and error source keeps its contract."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.selector import (
    ERROR_SOURCES,
    LCMD,
    PICKERS,
    ClusterError,
    CostAware,
    Evidence,
    FarthestPoint,
    Greedy,
    Picker,
    Pool,
    Random,
    Stratified,
    needs_covariance,
    needs_errors,
)
from fidsel.selector.pickers.cluster_error import Strategy
from fidsel.testing.picker import check_error_source, check_picker, example_pool, with_covariance

STRATEGIES = get_args(Strategy)
DRAWN = {"random", "stratified", "distance-sampling", "variance-reduction"}
DIVERSE = {"farthest-point", "lcmd"}
BUILT_IN: dict[str, st.SearchStrategy[Picker]] = {
    name: st.builds(kind) for name, kind in PICKERS.items() if name not in ("cluster-error", "lcmd")
}
BUILT_IN["lcmd"] = st.builds(LCMD, st.sampled_from(["none", "errors"]))
BUILT_IN["cluster-error"] = st.builds(
    ClusterError,
    st.sampled_from(STRATEGIES),
    threshold=st.floats(0, 5),
    relative_to=st.sampled_from(["overall", "clusters"]),
    fine_clusters=st.integers(1, 30),
    worst=st.floats(0.01, 1),
    subset=st.integers(5, 50),
)
BUILT_IN["cost-aware"] = st.builds(
    CostAware,
    st.one_of(*BUILT_IN.values()),
    st.sampled_from([(1.0, 1.0), (0.1, 1.0), (0.0, 2.0)]),
    st.floats(1, 5),
    st.sampled_from(["place", "error"]),
)


def usual(name: str) -> Picker:
    """A picker as a person gets it who sets nothing."""
    return CostAware(FarthestPoint(), (0.1, 1.0)) if name == "cost-aware" else PICKERS[name]()


def told(picker: Picker, pool: Pool) -> Pool:
    """The pool with what the picker reads."""
    return with_covariance(pool) if needs_covariance(picker) else pool


def test_every_picker_is_tested() -> None:
    assert set(BUILT_IN) == {*PICKERS, "cost-aware"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("fine_clusters", [1, 5, 200])
def test_cluster_error_picker(strategy: Strategy, fine_clusters: int) -> None:
    check_picker(ClusterError(strategy, fine_clusters=fine_clusters), random=strategy == "random")


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@pytest.mark.parametrize("seed", [0, 1])
def test_every_picker_keeps_the_contract(name: str, seed: int) -> None:
    check_picker(usual(name), example_pool(seed), random=name in DRAWN, diverse=name in DIVERSE)


@pytest.mark.parametrize("picker", [LCMD("errors"), CostAware(LCMD("errors"), (0.1, 1.0))])
def test_weighted_distances_keep_the_contract(picker: Picker) -> None:
    check_picker(picker, diverse=isinstance(picker, LCMD))


@pytest.mark.parametrize("inner", [ClusterError("population"), Greedy(), Random(), Stratified()])
@pytest.mark.parametrize("value", ["place", "error"])
def test_cost_aware_pickers_keep_the_contract(inner: Picker, value: Literal["place", "error"]) -> None:
    check_picker(CostAware(inner, (0.1, 1.0), value=value), random=isinstance(inner, Random | Stratified))


@pytest.mark.parametrize("name", sorted(ERROR_SOURCES))
def test_every_error_source(name: str) -> None:
    pool = example_pool()
    told = Evidence(
        cheap_errors=lambda: pool.errors * 0.7,
        disagreement=lambda: pool.errors * 0.3,
        latent=lambda: (pool.features, pool.features[pool.labelled]),
    )
    check_error_source(ERROR_SOURCES[name](), pool, pool.errors, told)


def coarse_pool(seed: int, levels: int, known: bool) -> Pool:
    """60 frames, few of them distinct, with tied or zero errors and few energies; 20 labelled."""
    rng = np.random.default_rng(seed)
    size = 60
    labelled = np.zeros(size, dtype=bool)
    labelled[rng.choice(size, 20, replace=False)] = True
    energies = np.where(rng.random(size) < 0.3, np.nan, rng.integers(0, 3, size))
    errors = rng.integers(0, 3, size) / 2.0 if known else np.full(size, np.nan)
    return Pool(
        rng.integers(0, levels, (size, 3)).astype(float), rng.integers(0, 5, size), errors, energies,
        rng.integers(0, 3, (size, 2)).astype(float), labelled,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@given(data=st.data(), seed=st.integers(0, 10_000), n=st.integers(1, 40), levels=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_exact_unique_picks_whatever_the_pool(
    name: str, data: st.DataObject, seed: int, n: int, levels: int
) -> None:
    """Few distinct rows, tied errors, unknown energies, labels for nothing: n unique unlabelled rows, no
    configuration twice while others remain, the same with the same seed, errors read only where needed."""
    picker = data.draw(BUILT_IN[name])
    pool = told(picker, coarse_pool(seed, levels, known=needs_errors(picker)))
    picks = picker.pick(pool, n, np.random.default_rng(seed))
    assert len(picks) == n == len(set(picks.indices.tolist())) == len(picks.reason)
    assert not pool.labelled[picks.indices].any()
    distinct = {row.tobytes() for row in pool.features[~pool.labelled]} - {
        row.tobytes() for row in pool.features[pool.labelled]
    }
    fresh = {pool.features[i].tobytes() for i in picks.indices} & distinct
    assert len(fresh) == min(n, len(distinct))
    assert picker.pick(pool, n, np.random.default_rng(seed)).indices.tolist() == picks.indices.tolist()
    assert ((picks.fidelity >= 0) & (picks.fidelity < 2)).all()
    assert all(f"cluster {c} (" in why for c, why in zip(picks.cluster, picks.reason, strict=True))
    assert all(
        f"; at level {f + 1} of 2, cost {pool.costs[i, f]:.4g}" in why
        for i, f, why in zip(picks.indices, picks.fidelity, picks.reason, strict=True)
    )


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_odd_pools(name: str) -> None:
    """One frame, one feature, nothing labelled, no energies: picks all the same."""
    for n, features in ((1, 1), (1, 3), (7, 1), (30, 2)):
        rng = np.random.default_rng(n)
        nothing, ones = np.full(n, np.nan), np.ones((n, 2))
        pool = Pool(
            rng.normal(size=(n, features)), np.zeros(n, int), np.ones(n), nothing, ones, np.zeros(n, bool)
        )
        pool = told(usual(name), pool)
        for energies in (nothing, np.zeros(n), rng.normal(size=n)):
            picks = usual(name).pick(replace(pool, energies=energies), n, rng)
            assert sorted(picks.indices) == list(range(n))
        assert len(usual(name).pick(pool, 0, rng)) == 0
        everything = replace(pool, labelled=np.ones(n, dtype=bool))
        assert len(usual(name).pick(everything, 0, rng)) == 0


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_unknown_errors_are_refused_where_they_are_needed(name: str) -> None:
    picker = usual(name)
    pool = told(picker, example_pool())
    blank = pool.errors.copy()
    blank[np.flatnonzero(~pool.labelled)[0]] = np.nan
    if needs_errors(picker):
        with pytest.raises(UsageError, match="1 of 54 are not: run an error source"):
            picker.pick(replace(pool, errors=blank), 5, np.random.default_rng(0))
    else:
        assert len(picker.pick(replace(pool, errors=blank), 5, np.random.default_rng(0))) == 5


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_too_many_and_negative_counts_say_how_many_there_are(name: str) -> None:
    pool = example_pool()
    for n in (-1, 55):
        with pytest.raises(UsageError, match="0 to 54 frames"):
            usual(name).pick(pool, n, np.random.default_rng(0))


@pytest.mark.parametrize("name", sorted(PICKERS))
def test_picks_are_at_the_most_accurate_fidelity(name: str) -> None:
    rng, kind = np.random.default_rng(0), PICKERS[name]
    pool = told(kind(), example_pool())
    assert set(kind().pick(pool, 3, rng).fidelity) == {1}
