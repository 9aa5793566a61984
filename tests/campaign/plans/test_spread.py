"""Cheap labels beyond the random ones go where no label is near."""

from pathlib import Path

import numpy as np
import pytest
from family_campaign import write_family
from tiny_campaign import opened, run, write_campaign

from fidsel.campaign.plans.plan import prepare
from fidsel.campaign.plans.round_size import random_frames
from fidsel.campaign.plans.spread import far, spread
from fidsel.campaign.records.round import Allocation
from fidsel.data import Frames
from fidsel.selector import sorted_distances


def test_the_random_start_stays(tmp_path: Path) -> None:
    """What pilot and accurate start draw is the random order's; curves are measured on that."""
    folder = write_campaign(tmp_path)
    run(folder, "campaign.rounds=0")
    with opened(folder) as ws:
        ready, first = prepare(ws), ws.journal.require(Allocation, 0)
        order, cheap = ready.orders["cheap"], first.cheap["cheap"]
        random = ready.at_random(len(first.accurate))
        assert first.accurate == cheap[: len(first.accurate)]
        assert cheap[:random] == order[:random], "as before there was any other"
        assert len(cheap) > random + 5
        assert len(set(cheap)) == len(cheap) == ready.plan.recommended.bought[0]
        far = spread(ws, order, order[:random], len(cheap) - random)
        assert cheap[random:] == far != order[random : len(cheap)]


def test_the_others_are_unlike_it(tmp_path: Path) -> None:
    with opened(write_campaign(tmp_path)) as ws:
        order = prepare(ws).orders["cheap"]
        features = sorted_distances(ws.pool)
        known = features[ws.pool.rows(list(order[:12]))]

        def away(frames: tuple[str, ...]) -> float:
            rows = ws.pool.rows(list(frames))
            return float(np.linalg.norm(features[rows, None] - known, axis=2).min(1).mean())

        assert away(spread(ws, order, order[:12], 15)) > 1.2 * away(order[12:])


def test_fewer_are_the_first_of_more(tmp_path: Path) -> None:
    """So that of two cheap levels the frames of the dearer are among those of the cheaper."""
    with opened(write_campaign(tmp_path)) as ws:
        order = prepare(ws).orders["cheap"]
        many = spread(ws, order, order[:6], 30)
        assert spread(ws, order, order[:6], 12) == many[:12]
        assert not set(many) & set(order[:6])
        assert set(spread(ws, order, order[:6], len(order))) == set(order[6:]), "all there are"
        assert spread(ws, order, (), 5) == order[:5], "nothing is known that they could be unlike"


def test_learning_curves_are_measured_on_what_was_drawn_at_random(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path)
    run(folder, "campaign.rounds=0")
    with opened(folder, "campaign.rounds=2", "budget.total=40") as ws:
        ready, first = prepare(ws), ws.journal.require(Allocation, 0)
        found = random_frames(ws, ready, 1)
        assert found["cheap"] == ready.orders["cheap"][: ready.at_random(len(first.accurate))]
        assert found["accurate"] == first.accurate


def test_each_molecule_is_drawn_from_for_itself(tmp_path: Path) -> None:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    with opened(write_family(tmp_path)) as ws:
        order = prepare(ws).orders[ws.campaign.cheap[0].name]
        found = ws.pool.rows(list(spread(ws, order, order[:6], 15)))
        assert ws.members.of[found].tolist() == [0, 1, 2] * 5


def test_atoms_have_no_distances() -> None:
    atoms = Frames.stack([2], np.arange(12.0).reshape(4, 1, 3))
    assert far(atoms[1:], atoms[:1], 2, np.random.default_rng(0)).tolist() == [0, 1]
