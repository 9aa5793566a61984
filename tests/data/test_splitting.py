import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fidsel.data import Frames, neighbour_share, split, split_indices
from fidsel.data.splitting import BARRED, SHORTEST, spread_over_blocks
from fidsel.exceptions import UsageError

THREE = {"train": 0.8, "validation": 0.1, "test": 0.1}


def trajectory(n: int, group: str = "") -> Frames:
    return Frames.stack([1, 1], np.random.default_rng(len(group)).normal(size=(n, 2, 3)), group=group)


def groups_of(sizes: list[int]) -> np.ndarray:
    return np.repeat([f"run {i}" for i in range(len(sizes))], sizes)


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(30, 400), parts=st.lists(st.floats(0.05, 1), min_size=1, max_size=4),
    left=st.floats(0, 1), seed=st.integers(0, 9), blocks=st.integers(1, 60),
)  # fmt: skip
def test_blocks_give_exact_disjoint_sizes(
    n: int, parts: list[float], left: float, seed: int, blocks: int
) -> None:
    total = sum(parts) + left
    sizes = {f"side {i}": part / total for i, part in enumerate(parts)}
    assume(n * min(sizes.values()) > 1)  # less than one configuration may round to none, which is refused
    sides = split_indices(np.full(n, "a"), sizes, seed=seed, blocks=blocks)
    rows = np.concatenate(list(sides.values()))
    assert len(np.unique(rows)) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < n
    for side, size in sizes.items():
        assert abs(len(sides[side]) - size * n) <= 1
    if left == 0:
        assert len(rows) == n


@settings(max_examples=50, deadline=None)
@given(runs=st.lists(st.integers(3, 40), min_size=4, max_size=20), seed=st.integers(0, 9))
def test_groups_go_whole_to_one_side(runs: list[int], seed: int) -> None:
    group = groups_of(runs)
    sides = split_indices(group, THREE, seed=seed)
    seen = [set(group[rows]) for rows in sides.values()]
    assert sum(map(len, seen)) == len(set().union(*seen)) == len(runs)
    for side, rows in sides.items():
        assert len(rows)
        assert len(rows) - THREE[side] * len(group) <= max(runs) + 1


def test_one_trajectory_is_cut_into_blocks_not_shuffled() -> None:
    group = np.full(1000, "run")
    sides = split_indices(group, THREE, seed=0)
    shuffled = np.random.default_rng(0).permutation(1000)
    assert neighbour_share(sides["test"], sides["train"], group) < 0.05
    assert neighbour_share(shuffled[:100], shuffled[200:], group) > 0.9
    changes = {side: (np.diff(rows) > 1).sum() + 1 for side, rows in sides.items()}
    assert changes["train"] <= 16
    assert changes["test"] == 2


def test_the_seed_decides() -> None:
    frames = trajectory(200)
    again = [frames.split(THREE, seed=seed)["test"].ids for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]


def test_counts_are_exact() -> None:
    by_block = split_indices(np.full(100, "a"), {"train": 61, "test": 7}, seed=0)
    by_group = split_indices(groups_of([10] * 12), {"train": 61, "test": 7}, seed=0)
    for sides in (by_block, by_group):
        assert {side: len(rows) for side, rows in sides.items()} == {"train": 61, "test": 7}


def test_blocks_may_be_asked_for_across_groups() -> None:
    group = groups_of([50, 50])
    sides = split_indices(group, {"a": 0.5, "b": 0.5}, by="block", seed=0)
    assert [len(rows) for rows in sides.values()] == [50, 50]
    assert neighbour_share(sides["a"], sides["b"], group) < 0.3


def test_labels_of_one_configuration_stay_together() -> None:
    xyz = np.random.default_rng(0).normal(size=(100, 3, 3))
    cheap = Frames.stack([8, 1, 1], xyz, level="pbe")
    both = cheap + cheap.replace(level="ccsd(t)")
    sides = split(both, {"train": 0.7, "test": 0.3}, seed=0)
    assert {side: len(part) for side, part in sides.items()} == {"train": 140, "test": 60}
    assert not set(sides["train"].ids) & set(sides["test"].ids)
    assert (sides["test"].level == "pbe").sum() == 30


def test_neighbours_are_counted_within_a_trajectory() -> None:
    group = np.array(["a", "b", "a", "b", "a", "b"])
    assert neighbour_share(np.array([2]), np.array([1, 3]), group) == 0.0
    assert neighbour_share(np.array([2, 1]), np.array([4]), group) == 0.5
    with pytest.raises(UsageError, match="at least one held-out frame"):
        neighbour_share(np.array([], dtype=int), np.array([1]), group)


@pytest.mark.parametrize(
    ("sizes", "changes", "match"),
    [
        ({"train": 0.9, "test": 0.2}, {}, r"add up to at most 1, got 1\.1"),
        ({"train": 0.9, "test": 0.0}, {}, "every size must be positive"),
        ({"train": 5, "test": -1}, {}, "every size must be positive"),
        ({"train": 50, "test": 0.2}, {}, "all fractions or all counts"),
        ({}, {}, "all fractions or all counts"),
        ({"train": 30, "test": 20}, {}, "40 configurations are too few"),
        ({"train": 0.999, "test": 0.001}, {}, "every side needs at least one"),
        ({"train": 0.5}, {"by": "grop"}, "unknown way to split 'grop', did you mean 'group'"),
        ({"train": 0.5}, {"blocks": 0}, "blocks must be a whole number ≥ 1"),
        ({"a": 0.3, "b": 0.3, "c": 0.4}, {}, "3 sides need at least as many groups, got 2; use by='block'"),
        ({"train": 15, "test": 15}, {}, "whole groups cannot give 15 configurations to '(train|test)'"),
    ],
)
def test_impossible_splits_are_refused(sizes: dict, changes: dict, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        split_indices(groups_of([30, 10]), sizes, seed=0, **changes)


def test_side_that_rounds_to_no_configuration_is_refused() -> None:
    with pytest.raises(UsageError, match=r"30 configurations are too few .* every side needs at least one"):
        split_indices(np.full(30, "a"), {"a": 16 / 33, "b": 1 / 33}, seed=0)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    test=st.integers(0, 12),
    validation=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_spread_sides_share_no_block(sizes: list[int], test: int, validation: int, seed: int) -> None:
    group = np.concatenate([[f"g{i}"] * size for i, size in enumerate(sizes)])
    asked = {"test": (test, 0.2), "validation": (validation, 0.1)}
    sides = spread_over_blocks(group, asked, np.random.default_rng(seed))
    again = spread_over_blocks(group, asked, np.random.default_rng(seed))
    assert sides == again
    assert (len(sides["test"]), len(sides["validation"])) == (test, validation)
    block = [(g, row // SHORTEST) for g, size in enumerate(sizes) for row in range(size)]
    everything = sides["test"] + sides["validation"] + sides[BARRED]
    assert len(everything) == len(set(everything))
    away = {block[row] for row in everything}
    assert not {block[row] for row in sides["test"]} & {block[row] for row in sides["validation"]}
    assert all(row in everything for row in range(len(group)) if block[row] in away)


def test_too_few_blocks_to_spread_over() -> None:
    with pytest.raises(UsageError, match="too few blocks of 10 for 5 validation frames"):
        spread_over_blocks(
            np.array(["a"] * 15), {"test": (12, 0.2), "validation": (5, 0.1)}, np.random.default_rng(0)
        )


def test_frames_that_cannot_be_held_out_are_barred_where_others_are() -> None:
    able = np.arange(200) % 2 == 0
    found = spread_over_blocks(np.array(["a"] * 200), {"test": (8, 0.2)}, np.random.default_rng(0), able)
    assert all(able[row] for row in found["test"])
    assert len({row // SHORTEST for row in found["test"]}) == 4, "a fifth of 20 blocks"
    assert len(found[BARRED]) == 4 * SHORTEST - 8
