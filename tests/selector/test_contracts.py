"""Every built-in picker and error source keeps its contract."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.selector import (
    ERROR_SOURCES,
    PICKERS,
    Cheap,
    ClusterError,
    Picker,
    Picks,
    Pool,
    Random,
    Reference,
)
from fidsel.selector.pickers import Strategy
from fidsel.testing.picker import check_error_source, check_picker, example_pool

STRATEGIES = get_args(Strategy)


def test_random_picker() -> None:
    check_picker(Random(), random=True)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_fine", [1, 5, 200])
def test_cluster_error_picker(strategy: Strategy, n_fine: int) -> None:
    check_picker(ClusterError(strategy, n_fine=n_fine), random=strategy == "random")


@pytest.mark.parametrize("name", sorted(PICKERS))
def test_every_registered_picker_has_usable_defaults(name: str) -> None:
    check_picker(PICKERS[name](), random=name == "random")


@pytest.mark.parametrize("name", sorted(ERROR_SOURCES))
def test_every_error_source(name: str) -> None:
    pool = example_pool()
    source = Cheap(pool.errors * 0.7) if name == "cheap" else ERROR_SOURCES[name]()
    check_error_source(source, pool, pool.errors)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    levels=st.integers(1, 4),
    picker=st.builds(
        ClusterError,
        st.sampled_from(STRATEGIES),
        threshold=st.floats(0, 5),
        relative_to=st.sampled_from(["overall", "clusters"]),
        n_fine=st.integers(1, 30),
        worst=st.floats(0.01, 1),
        subset=st.integers(5, 50),
    ),
)
@settings(max_examples=60, deadline=None)
def test_exact_unique_picks_whatever_the_pool(seed: int, n: int, levels: int, picker: ClusterError) -> None:
    """Few distinct rows, tied or zero errors, some labelled: always n unique unlabelled rows."""
    rng = np.random.default_rng(seed)
    size = 60
    labelled = np.zeros(size, dtype=bool)
    labelled[rng.choice(size, 20, replace=False)] = True
    pool = Pool(
        rng.integers(0, levels, (size, 3)).astype(float), rng.integers(0, 5, size),
        rng.integers(0, 3, size) / 2.0, np.zeros(size), np.ones((size, 1)), labelled,
    )  # fmt: skip
    picks = picker.pick(pool, n, rng)
    assert len(picks) == n == len(set(picks.indices.tolist())) == len(picks.reason)
    assert not pool.labelled[picks.indices].any()
    distinct = {row.tobytes() for row in pool.features[~labelled]} - {
        row.tobytes() for row in pool.features[labelled]
    }
    fresh = {pool.features[i].tobytes() for i in picks.indices} & distinct
    assert len(fresh) == min(n, len(distinct))


class _Forgetful:
    """A picker that breaks one rule."""

    def __init__(self, rows: IntArray) -> None:
        self.rows = rows

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:  # noqa: ARG002
        rows = self.rows[:n]
        return Picks(rows, np.zeros(n, int), pool.clusters[rows], ("because",) * n)


def test_the_checks_name_the_broken_rule() -> None:
    pool = example_pool()
    with pytest.raises(AssertionError, match="labelled frame was picked"):
        check_picker(_Forgetful(np.arange(len(pool))[np.argsort(~pool.labelled)]), pool)
    with pytest.raises(AssertionError, match="not unique"):
        check_picker(_Forgetful(np.full(len(pool), np.flatnonzero(~pool.labelled)[0])), pool)
    free = np.flatnonzero(~pool.labelled)
    with pytest.raises(AssertionError, match="picked again"):
        check_picker(_Forgetful(free), pool)


class _Writer(Random):
    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        pool.errors.setflags(write=True)
        pool.errors[:] = 0
        return super().pick(pool, n, rng)


def test_writing_to_the_pool_is_refused_or_noticed() -> None:
    with pytest.raises((ValueError, AssertionError), match=r"WRITEABLE|wrote to errors"):
        check_picker(_Writer(), random=True)


class _Boundless(Reference):
    def estimate(self, pool: Pool, known: FloatArray) -> FloatArray:
        return np.full(len(pool), known.max() * np.nan)


def test_missing_estimates_are_noticed() -> None:
    pool = example_pool()
    with pytest.raises(AssertionError, match="finite estimates"):
        check_error_source(_Boundless(), pool, pool.errors)


@pytest.mark.parametrize("picker", [Random(), ClusterError()])
def test_too_many_and_negative_counts_say_how_many_there_are(picker: Picker) -> None:
    pool = example_pool()
    for n in (-1, 55):
        with pytest.raises(UsageError, match="0 to 54 frames"):
            picker.pick(pool, n, np.random.default_rng(0))


@pytest.mark.parametrize("kind", [Random, ClusterError])
def test_fidelity_is_a_column_of_the_costs(kind: type[Random] | type[ClusterError]) -> None:
    pool, rng = example_pool(), np.random.default_rng(0)
    assert set(kind().pick(pool, 3, rng).fidelity) == {1}
    assert set(kind(fidelity=0).pick(pool, 3, rng).fidelity) == {0}
    with pytest.raises(UsageError, match="no column 2"):
        kind(fidelity=2).pick(pool, 3, rng)
    with pytest.raises(UsageError, match="2 fidelities"):
        kind(fidelity=-3).pick(replace(pool), 3, rng)
