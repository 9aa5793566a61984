"""The contract checks of pickers and error sources name the rule that is broken."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, ClassVar

import numpy as np
import pytest

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.selector import FarthestPoint, Greedy, Picks, Pool, Random, Reference
from fidsel.selector.error_sources.source import NOTHING, Evidence
from fidsel.testing import check_error_source, check_picker
from fidsel.testing.picker import example_pool

POOL = example_pool()
FREE = np.flatnonzero(~POOL.labelled)


def test_the_pool_to_try_things_on() -> None:
    assert (len(POOL), int(POOL.labelled.sum())) == (60, 6)
    assert np.bincount(POOL.clusters).tolist() == [15] * 4
    means = [POOL.errors[POOL.clusters == cluster].mean() for cluster in range(4)]
    assert np.argmax(means) == 2
    assert means[2] > 2 * np.sort(means)[2]
    assert np.array_equal(example_pool().features, POOL.features)
    assert not np.array_equal(example_pool(1).features, POOL.features)


@dataclass(frozen=True)
class Changed:
    """Another picker, with one mistake."""

    change: Callable[[Picks, Pool], Picks]
    needs_errors: ClassVar[bool] = False

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        return self.change(FarthestPoint().pick(pool, n, rng), pool)


def with_(**arrays: Callable[[Picks, Pool], Any]) -> Callable[[Picks, Pool], Picks]:
    """Return a change of the fields of picks."""
    return lambda picks, pool: replace(picks, **{name: make(picks, pool) for name, make in arrays.items()})


def cut(picks: Picks, _: Pool) -> Picks:
    return replace(picks, indices=picks.indices[:-1])


def rows(make: Callable[[int, Pool], IntArray]) -> Callable[[Picks, Pool], Picks]:
    """Return a change of the rows alone, with what belongs to them."""

    def change(picks: Picks, pool: Pool) -> Picks:
        found = make(len(picks), pool)
        return replace(picks, indices=found, cluster=np.full(len(found), -1))

    return change


def last(n: int, pool: Pool) -> IntArray:
    return np.flatnonzero(~pool.labelled)[::-1][:n]


def alike(n: int, pool: Pool) -> IntArray:
    """Return rows that equal one another side by side."""
    free = np.flatnonzero(~pool.labelled)
    return free[np.lexsort(pool.features[free].T)][:n]


TIMES = count()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (cut, "asked for 1 picks, got 0"),
        (rows(lambda n, _: np.repeat(FREE[:1], n)), "2 picks are not unique"),
        (rows(lambda n, pool: len(pool) + np.arange(n)), "a pick lies outside the pool of 60"),
        (rows(lambda n, pool: np.argsort(~pool.labelled, kind="stable")[:n]), "a labelled frame was picked"),
        (with_(indices=lambda picks, _: picks.indices.astype(float)), "indices are float64, not integers"),
        (with_(fidelity=lambda picks, _: picks.fidelity[:-1]), "fidelity must have one entry per pick"),
        (with_(cluster=lambda picks, _: picks.cluster[:-1]), "cluster must have one entry per pick"),
        (with_(reason=lambda picks, _: (*picks.reason, "more")), "reason must have one entry per pick"),
        (with_(fidelity=lambda picks, _: picks.fidelity + 1), "fidelity must be a column of Pool.costs"),
        (with_(reason=lambda picks, _: ("",) * len(picks)), "every pick needs a reason"),
        (
            with_(cluster=lambda picks, _: picks.cluster + 1),
            "cluster must be the pool's cluster of each pick",
        ),
        (
            with_(reason=lambda picks, _: tuple(f"run {next(TIMES)}" for _ in picks.reason)),
            "the same seed gave other reasons",
        ),
        (rows(lambda n, _: FREE[:n]), "frames labelled in between were picked again"),
        (rows(alike), "a configuration was picked twice while others remained"),
        (rows(last), "the double of a labelled frame was picked while others remained"),
    ],
)
def test_a_picker_that_breaks_a_rule_is_told_which(change: Callable[[Picks, Pool], Picks], rule: str) -> None:
    check_picker(Changed(lambda picks, _: picks), diverse=True)
    with pytest.raises(AssertionError, match=rule):
        check_picker(Changed(change))


def test_a_seed_counts() -> None:
    class Fresh(Random):
        """Draws anew each time."""

        def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:  # noqa: ARG002
            return super().pick(pool, n, np.random.default_rng(next(TIMES)))

    check_picker(Random(), random=True)
    with pytest.raises(AssertionError, match="the same seed gave other picks"):
        check_picker(Fresh(), random=True)


def test_what_is_drawn_does_not_follow_a_reordered_pool() -> None:
    with pytest.raises(AssertionError, match="reordering the pool changed which frames are picked"):
        check_picker(Random())


def test_ignoring_what_is_labelled_is_noticed() -> None:
    with pytest.raises(AssertionError, match="keep away from labelled frames"):
        check_picker(Greedy(), diverse=True)


def test_the_count_is_held_to() -> None:
    class Generous(FarthestPoint):
        """Gives what there is."""

        def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
            return super().pick(pool, min(n, int((~pool.labelled).sum())), rng)

    with pytest.raises(AssertionError, match="asking for more frames than are unlabelled must raise"):
        check_picker(Generous())


def test_copies_of_frames_are_no_reason_to_stop() -> None:
    class Strict(FarthestPoint):
        """Gives no frame that equals another."""

        def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
            picks = super().pick(pool, n, rng)
            _, first = np.unique(pool.features[picks.indices], axis=0, return_index=True)
            kept = np.sort(first)
            return Picks(
                picks.indices[kept], picks.fidelity[kept], picks.cluster[kept],
                tuple(picks.reason[i] for i in kept),
            )  # fmt: skip

    with pytest.raises(AssertionError, match="with only duplicates left, picks must still be n unique rows"):
        check_picker(Strict())


class Secretive(Greedy):
    needs_errors: ClassVar[bool] = False


class Peeking(FarthestPoint):
    """Begins with the frame of the largest error that is known."""

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        known = np.isfinite(pool.errors).all()
        return super().pick(pool if known else replace(pool, features=-(pool.features**3)), n, rng)


def test_reading_errors_in_secret_is_noticed() -> None:
    with pytest.raises(UsageError, match="run an error source"):
        check_picker(Secretive())
    with pytest.raises(AssertionError, match="says it needs no errors, and picks others without them"):
        check_picker(Peeking())


class Writer(Random):
    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Picks:
        pool.errors.setflags(write=True)
        pool.errors[:] = 0
        return super().pick(pool, n, rng)


def test_writing_to_the_pool_is_refused_or_noticed() -> None:
    with pytest.raises((ValueError, AssertionError), match=r"WRITEABLE|wrote to errors"):
        check_picker(Writer(), random=True)


@dataclass(frozen=True)
class Told(Reference):
    """Knows the truth, and breaks a rule."""

    wanted: Callable[[int, np.random.Generator], IntArray] = lambda _n, _rng: np.empty(0, dtype=np.int64)
    told: Callable[[FloatArray], FloatArray] = lambda known: known

    def wants(self, pool: Pool, n: int, rng: np.random.Generator) -> IntArray:  # noqa: ARG002
        return self.wanted(n, rng)

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:  # noqa: ARG002
        return self.told(known)


def erased(known: FloatArray) -> FloatArray:
    truth = known.copy()
    known[:] = 0.0
    return truth


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (Told(wanted=lambda n, _: np.random.default_rng(next(TIMES)).permutation(FREE)[:n]), "the same seed"),
        (Told(wanted=lambda n, _: FREE[: n + 1]), "at most 12 rows may be wanted, got 13"),
        (Told(wanted=lambda n, _: np.repeat(FREE[:1], n)), "wanted rows must be unique"),
        (Told(wanted=lambda n, _: 60 + np.arange(n)), "a wanted row lies outside the pool"),
        (Told(wanted=lambda n, _: np.flatnonzero(POOL.labelled)[:n]), "a labelled row is wanted"),
        (Told(wanted=lambda n, _: FREE[: max(n, 1)]), "with n = 0 nothing may be wanted"),
        (Told(told=erased), r"estimate\(\) wrote to known"),
        (Told(told=lambda known: known[1:]), r"estimates must have shape \(60,\), got \(59,\)"),
        (Told(told=lambda known: np.full_like(known, np.nan)), "unlabelled frames need finite estimates ≥ 0"),
        (Told(told=lambda known: -known), "unlabelled frames need finite estimates ≥ 0"),
        (Told(told=lambda known: 2 * known), "a known error must be its own estimate"),
    ],
)
def test_an_error_source_that_breaks_a_rule_is_told_which(source: Told, rule: str) -> None:
    check_error_source(Told(), POOL, POOL.errors)
    with pytest.raises(AssertionError, match=rule):
        check_error_source(source, POOL, POOL.errors)
