"""Picks by variance reduction, against linear algebra without tricks and on a real kernel."""

import numpy as np
import pytest
from morse_molecule import SWAP, frames

from fidsel.arrays import FloatArray, IntArray
from fidsel.exceptions import UsageError
from fidsel.models import SGDML
from fidsel.selector import Pool, Random, VarianceReduction
from fidsel.selector.pickers.variance import NOISE, greedy_reduction
from fidsel.testing.picker import example_pool, with_covariance


def random_covariance(frames: int, m: int, seed: int) -> FloatArray:
    root = np.random.default_rng(seed).normal(size=(frames * m, 2 * frames))
    found: FloatArray = root @ root.T / (2 * frames)
    return found


def posterior(covariance: FloatArray, rows: list[int], m: int, noise: float) -> FloatArray:
    """The covariance once some frames are labelled, all at once."""
    known = np.concatenate([np.arange(m) + m * row for row in rows]) if rows else np.empty(0, int)
    inner = covariance[np.ix_(known, known)] + noise * np.eye(len(known))
    found: FloatArray = covariance - covariance[:, known] @ np.linalg.solve(inner, covariance[known])
    return found


@pytest.mark.parametrize("m", [1, 3])
def test_each_pick_leaves_the_least_variance(m: int) -> None:
    """Up to three outputs a frame nothing is sampled: the picks are the exact ones."""
    n, covariance = 12, random_covariance(12, m, m)
    noise = NOISE * covariance.trace() / len(covariance)
    steps = greedy_reduction(covariance, n, 4, np.random.default_rng(0))
    chosen: list[int] = []
    for step in steps:
        left = {
            row: posterior(covariance, [*chosen, row], m, noise).trace()
            for row in range(n)
            if row not in chosen
        }
        best = min(left, key=lambda row: left[row])
        assert step.row == best
        before = posterior(covariance, chosen, m, noise).trace()
        assert step.before == pytest.approx(np.sqrt(before / len(covariance)), rel=1e-4)
        assert step.after == pytest.approx(np.sqrt(left[best] / len(covariance)), rel=1e-3)
        chosen.append(best)


def test_directions_stand_for_all_outputs() -> None:
    """With 27 outputs a frame three directions find picks that leave as little as the exact ones, but for
    some hundredths."""
    n, m = 10, 27
    scale = np.repeat(np.linspace(1.0, 3.0, n), m)
    covariance = random_covariance(n, m, 0) * np.outer(scale, scale)
    noise = NOISE * covariance.trace() / len(covariance)
    step = greedy_reduction(covariance, n, 1, np.random.default_rng(0))[0]
    left = [posterior(covariance, [row], m, noise).trace() for row in range(n)]
    assert left[step.row] < 1.03 * min(left)


def test_nothing_left_to_learn_is_no_failure() -> None:
    steps = greedy_reduction(np.zeros((6, 6)), 3, 3, np.random.default_rng(0))
    assert sorted(step.row for step in steps) == [0, 1, 2]


def kernel_pool(model: SGDML, count: int) -> Pool:
    some = frames(count, seed=3)

    def covariance(rows: IntArray) -> FloatArray:
        return model.covariance(some[rows])

    return Pool.of(some.positions.reshape(count, -1), covariance=covariance)


def test_labels_of_picks_leave_a_kernel_less_unsure_than_random_ones() -> None:
    start, none = frames(4), frames(0)
    model = SGDML([10.0], 1e-6, symmetries=[SWAP]).fit(start, none)[0]
    pool, test = kernel_pool(model, 60), frames(80, seed=9)
    left = []
    for picker in (VarianceReduction(), Random()):
        rows = picker.pick(pool, 6, 0).indices
        more = model.update(frames(60, seed=3)[rows])[0]
        errors = more.predict(test).forces - test.forces
        scaled = more.covariance(test).trace() / model.covariance(test).trace()
        left.append((scaled, np.sqrt((errors**2).mean())))
    assert left[0][0] < left[1][0]
    assert left[0][1] < left[1][1]


def test_reasons_tell_the_expected_error_before_and_after() -> None:
    picks = VarianceReduction().pick(with_covariance(example_pool()), 3, 0)
    told = [text.partition("expected RMSE of 54 frames from ")[2].split() for text in picks.reason]
    befores, afters = ([float(words[i]) for words in told] for i in (0, 3))
    assert befores[1:] == afters[:-1]
    assert afters == sorted(afters, reverse=True)


def test_candidates_are_at_least_twice_the_picks() -> None:
    asked: list[int] = []
    pool = with_covariance(example_pool())

    def counted(rows: IntArray) -> FloatArray:
        asked.append(len(rows))
        assert pool.covariance is not None
        return pool.covariance(rows)

    VarianceReduction(candidates=5).pick(Pool.of(pool.features, covariance=counted), 4, 0)
    assert asked == [8]
    VarianceReduction().pick(Pool.of(pool.features, covariance=counted), 4, 0)
    assert asked == [8, 1, 60]


def test_a_pool_of_some_frames_keeps_their_covariance() -> None:
    pool = with_covariance(example_pool())
    assert pool.covariance is not None
    part = pool[np.array([7, 3, 9])]
    assert part.covariance is not None
    np.testing.assert_array_equal(part.covariance(np.array([2, 0])), pool.covariance(np.array([9, 7])))
    masked = pool[np.arange(60) > 50]
    assert masked.covariance is not None
    np.testing.assert_array_equal(masked.covariance(np.array([0])), pool.covariance(np.array([51])))


def test_without_a_covariance_there_are_no_picks() -> None:
    with pytest.raises(UsageError, match="needs the covariance of a kernel model's forces, got none"):
        VarianceReduction().pick(example_pool(), 3, 0)
    assert len(VarianceReduction().pick(example_pool(), 0, 0)) == 0
