"""Held-out frames: as many as asked, apart from what is trained on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.campaign.plans.prepare import BLOCK, draw_held_out
from fidsel.exceptions import UsageError


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    test=st.integers(0, 12),
    validation=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_sides_share_no_block(sizes: list[int], test: int, validation: int, seed: int) -> None:
    group = np.concatenate([[f"g{i}"] * size for i, size in enumerate(sizes)])
    sides = draw_held_out(group, test, validation, np.random.default_rng(seed))
    again = draw_held_out(group, test, validation, np.random.default_rng(seed))
    assert sides == again
    assert (len(sides["test"]), len(sides["validation"])) == (test, validation)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    block = [(g, (row - first[g]) // BLOCK) for g, size in enumerate(sizes) for row in first[g] + range(size)]
    everything = sides["test"] + sides["validation"] + sides["barred"]
    assert len(everything) == len(set(everything))
    away = {block[row] for row in everything}
    assert not {block[row] for row in sides["test"]} & {block[row] for row in sides["validation"]}
    assert all(row in everything for row in range(len(group)) if block[row] in away)


def test_too_few_blocks() -> None:
    with pytest.raises(UsageError, match="too few blocks of 10 frames for 5 validation frames"):
        draw_held_out(np.array(["a"] * 15), 12, 5, np.random.default_rng(0))
