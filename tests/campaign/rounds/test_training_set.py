"""Which labels a round trains on, and in which random order candidates are labelled."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames
from tiny_campaign import opened, write_campaign

from fidsel.campaign.records.decisions import TrainingIds
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.rounds.training_set import candidate_rows, random_order, training_data

POOL = frames(12).unlabelled()
HELD = HeldOut((POOL.ids[2],), (POOL.ids[5], POOL.ids[4]), (POOL.ids[3],))
ABLE = np.ones(len(POOL), dtype=bool)


def test_what_is_held_out_is_no_candidate() -> None:
    assert candidate_rows(POOL, HELD).tolist() == [0, 1, 6, 7, 8, 9, 10, 11]


def test_the_order_is_that_of_the_generator() -> None:
    first = random_order(POOL, 12, HELD, ABLE, np.random.default_rng(3))
    assert first == random_order(POOL, 12, HELD, ABLE, np.random.default_rng(3))
    assert first != random_order(POOL, 12, HELD, ABLE, np.random.default_rng(4))
    assert set(first) == {POOL.ids[row] for row in candidate_rows(POOL, HELD)}


def test_frames_that_cannot_be_labelled_leave_the_order_of_the_others() -> None:
    able = ABLE.copy()
    able[[0, 7, 8]] = False
    whole = random_order(POOL, 12, HELD, ABLE, np.random.default_rng(3))
    part = random_order(POOL, 12, HELD, able, np.random.default_rng(3))
    assert part == tuple(frame for frame in whole if able[POOL.ids.index(frame)])


def test_frames_of_a_refresh_are_not_drawn() -> None:
    drawn = random_order(POOL, 8, HELD, ABLE, np.random.default_rng(3))
    assert set(drawn) == {POOL.ids[row] for row in (0, 1, 6, 7)}
    longer, able = POOL + frames(3, seed=5).unlabelled(), np.ones(15, dtype=bool)
    assert random_order(longer, 8, HELD, able, np.random.default_rng(3)) == drawn


@pytest.mark.parametrize("use", ["labels", "frames"])
def test_labels_come_in_the_order_of_the_pool(tmp_path: Path, use: str) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        pool, (cheap, accurate) = ws.pool, ws.campaign.fidelities
        held = HeldOut((), (pool.ids[9], pool.ids[8]), (pool.ids[1],))
        ids = TrainingIds((pool.ids[7], pool.ids[0], pool.ids[3]), (), {"cheap": (pool.ids[6], pool.ids[2])})
        ws.buy(accurate, [*ids.accurate[:2], *held.validation], "train")
        ws.buy(cheap, ids.cheap["cheap"], "train")
        campaign = replace(ws.campaign, cheap_use=use)  # type: ignore[arg-type]
        found = training_data(campaign, ws.store, pool, ids, held)
        assert found.train.ids == (pool.ids[0], pool.ids[7]), "the third has no label"
        assert found.validation.ids == (pool.ids[8], pool.ids[9])
        (some,) = found.cheap
        if use == "labels":
            assert some.ids == (pool.ids[2], pool.ids[6])
            assert np.isfinite(some.energy).all()
        else:
            assert some.ids == tuple(frame for frame in pool.ids if frame not in held.all)
