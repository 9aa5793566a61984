"""Held-out frames: as many as asked, apart from what is trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_campaign import opened, write_campaign

from fidsel.campaign.plans.prepare import (
    BLOCK,
    bounded_test,
    draw_held_out,
    ensure_held_out,
    ensure_pool,
    refuse_few,
)
from fidsel.campaign.records.decisions import HeldOutFor, Sampled
from fidsel.campaign.records.round import Allocation, HeldOut
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


def test_held_out_frames_are_drawn_once_and_anew_for_other_settings(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        first = ensure_held_out(ws.campaign, ws.journal, ws.pool, ws.cover)
        assert (len(first.test), len(first.validation)) == (10, 5)
        assert ensure_held_out(ws.campaign, ws.journal, ws.pool, ws.cover) == first
        fewer = replace(ws.campaign, rules=replace(ws.campaign.rules, validation=3))
        second = ensure_held_out(fewer, ws.journal, ws.pool, ws.cover)
        assert len(second.validation) == 3
        some = {name: np.arange(120) < 100 for name in ws.cover}
        third = ensure_held_out(fewer, ws.journal, ws.pool, some)
        assert {ws.pool.ids.index(frame) for frame in third.test} <= set(range(100))
        ws.journal.write(Allocation((), {}, (), 0.0), 0)
        assert ensure_held_out(ws.campaign, ws.journal, ws.pool, ws.cover) == third, "settled by round 0"
        few = {name: np.arange(120) < 8 for name in ws.cover}
    with (
        opened(write_campaign(tmp_path / "new")) as ws,
        pytest.raises(UsageError, match=r"at least 17 .* got 8: the pool is kept as it was sampled"),
    ):
        ensure_held_out(ws.campaign, ws.journal, ws.pool, few)


def test_test_labels_are_cut_to_what_they_may_cost_once(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        ws.journal.write(held := HeldOut(tuple(f"t{i}" for i in range(24)), ("v",), ("b",)))
        ws.journal.write(HeldOutFor({}, bounded=False))
        assert bounded_test(ws.campaign, ws.journal, price=1.0) == held, "campaign.test says how many"
        free = replace(ws.campaign, rules=replace(ws.campaign.rules, test=None))
        assert bounded_test(free, ws.journal, price=0.0) == held
        cut = bounded_test(free, ws.journal, price=1.0)
        assert cut == HeldOut(held.test[:11], ("v",), ("b", *held.test[11:])), "11 cost half of 22"
        assert bounded_test(free, ws.journal, price=2.0) == cut == ws.journal.read(HeldOut)


def test_too_few_frames_to_train_on(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        refuse_few(ws.campaign, ws.cover, range(117))
        with pytest.raises(UsageError, match=r"of 120 configurations 2 may be trained on .* at least 3 are"):
            refuse_few(ws.campaign, ws.cover, range(118))


def test_the_pool_is_sampled_once(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    with opened(folder) as ws:
        assert ws.journal.require(Sampled).frames == 120
        other = replace(ws.campaign, sample=lambda: ws.pool[:30])
        assert len(ensure_pool(other, ws.journal)) == 120
