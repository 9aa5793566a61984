from itertools import pairwise

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data import Frames, split
from fidsel.exceptions import UsageError
from fidsel.training.holdout import HELD_OUT, hold_out, thinned

LOW = frames(300, 0).replace(group=np.repeat(["hot", "warm", "cold"], 100), level="low")


def shares(levels: list[Frames], held_out: float, seed: int) -> list[float]:
    return [float(held.mean()) for held in hold_out(levels, held_out, seed)]


@pytest.mark.parametrize("n", [2, 3, 57, 300, 2500])
@pytest.mark.parametrize("seed", [0, 7])
def test_one_level_is_split_in_blocks_of_its_trajectories(n: int, seed: int) -> None:
    level = frames(n, 1)
    twice = level + level[:5]
    count = max(1, min(round(0.15 * n), HELD_OUT, n - 1))
    sizes = {"train": n - count, "validation": count}
    expected = split(twice, sizes, by="block", seed=seed, blocks=n)
    (held,) = hold_out([twice], 0.15, seed)
    assert twice[~held].ids == expected["train"].ids
    assert twice[held].ids == expected["validation"].ids


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("of", [slice(None, None, 5), slice(40, 100), slice(250, None)])
def test_nested_levels_hold_out_the_same_configurations_and_a_fair_share_of_each(
    of: slice, seed: int
) -> None:
    levels = [LOW, LOW[of], LOW[of][::3]]
    masks = hold_out(levels, 0.2, seed)
    held = [set(level[mask].ids) for level, mask in zip(levels, masks, strict=True)]
    for level, mask in zip(levels, masks, strict=True):
        assert not held[0] & set(level[~mask].ids)
        assert 0.1 < mask.mean() < 0.35
    assert all(upper <= lower for lower, upper in pairwise(held))


def test_held_out_configurations_of_nested_levels_are_blocks_from_all_trajectories() -> None:
    held, _ = hold_out([LOW, LOW[::4]], 0.2, 3)
    assert set(LOW.group[held].tolist()) == {"hot", "warm", "cold"}
    assert held.sum() == 60
    assert np.diff(np.flatnonzero(held)).tolist().count(1) >= 60 - 6 - 1


def test_the_order_of_the_levels_does_not_matter() -> None:
    small = LOW[::7]
    first, second = hold_out([LOW, small], 0.1, 4), hold_out([small, LOW], 0.1, 4)
    np.testing.assert_array_equal(first[0], second[1])
    np.testing.assert_array_equal(first[1], second[0])


def test_levels_of_few_frames_have_both_sides() -> None:
    for seed in range(10):
        assert shares([LOW, LOW[10:12], LOW[20:23]], 0.1, seed) == pytest.approx([0.1, 0.5, 1 / 3], abs=0.02)


def test_levels_without_common_configurations_each_have_their_share() -> None:
    other = frames(100, 5)
    assert shares([LOW, other], 0.1, 0) == pytest.approx([0.1, 0.1], abs=0.03)


def test_a_small_level_has_its_share_beside_a_large_one() -> None:
    many = frames(6000, 2)
    first, second = hold_out([many, many[::20]], 0.2, 0)
    assert second.sum() == pytest.approx(60, abs=10)
    assert len(thinned(many[first])) == HELD_OUT
    assert thinned(many[:5]).ids == many[:5].ids


def test_levels_that_leave_no_choice_are_refused() -> None:
    a, b, c = LOW[:1], LOW[1:2], LOW[2:3]
    with pytest.raises(UsageError, match=r"the levels have \[2, 2, 2\] and share too many"):
        hold_out([a + b, b + c, c + a], 0.5, 0)
