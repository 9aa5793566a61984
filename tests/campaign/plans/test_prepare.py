"""What is held out before round 0."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_campaign import opened, write_campaign

from fidsel.campaign import iterate
from fidsel.campaign.plans import prepare
from fidsel.campaign.plans.prepare import (
    bounded_test,
    ensure_held_out,
    ensure_pool,
    payable_tests,
    refuse_few,
)
from fidsel.campaign.records.decisions import HeldOutFor, Sampled
from fidsel.campaign.records.round import Allocation, HeldOut
from fidsel.config.build import open_campaign
from fidsel.data import Frames, write
from fidsel.exceptions import UsageError
from fidsel.fidelity import LabelStore
from fidsel.fidelity.budget import Budget


def test_a_fifth_of_the_pool_tests_and_a_hundred_at_most() -> None:
    assert [prepare.test_size(None, pool) for pool in (40, 300, 10_000)] == [8, 60, 100]
    assert prepare.test_size(7, 40) == 7


@pytest.mark.parametrize("overrides", [(), ("model={kind='painn'}", "recipe={kind='joint'}")])
def test_a_pool_in_several_orders_of_atoms_is_refused_before_anything_is_bought(
    overrides: tuple[str, ...], tmp_path: Path
) -> None:
    folder = write_campaign(tmp_path)
    pool = open_campaign(folder).sample()
    some = pool[:20]
    rolled = {
        name: np.roll(getattr(some, name).reshape(20, 4, -1), 1, axis=1) for name in ("numbers", "positions")
    }
    turned = Frames.pack(rolled["numbers"].ravel(), rolled["positions"].reshape(-1, 3), some.offsets)
    write(folder / "turned.extxyz", pool[20:] + turned)
    campaign = open_campaign(folder, ["pool.path=turned.extxyz", *overrides])
    with pytest.raises(UsageError, match=r"the pool: .*frame 100 has the atoms of frame 0 in another order"):
        list(iterate(campaign))
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert (len(store.frames()), store.query("SELECT count(*) FROM labels")[0][0]) == (0, 0)


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


def test_test_labels_cost_half_of_the_budget_at_most() -> None:
    budget = Budget.parse("100 label")
    assert [payable_tests(budget, price) for price in (0.1, 1.0, 2.0, 50.0)] == [100, 50, 25, 10]


def test_enough_must_be_left_to_train_on(tmp_path: Path) -> None:
    campaign = open_campaign(write_campaign(tmp_path))
    cover = {level.name: np.ones(10, dtype=bool) for level in campaign.fidelities}
    refuse_few(campaign, cover, range(4))
    with pytest.raises(UsageError, match="of 10 configurations 1 may be trained on"):
        refuse_few(campaign, cover, range(9))
