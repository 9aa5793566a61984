import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from morse_molecule import frames
from small_task import without_labels

from fidsel.campaign.selection.settings import Selection, divide
from fidsel.data import Frames
from fidsel.exceptions import UsageError


def test_what_began_with_fewer_labels_keeps_its_sides() -> None:
    whole, numbers = frames(120), Selection(size=5, rounds=1, clusters=2)
    known = np.arange(120) < 60
    now, then = divide(whole, numbers, known), divide(without_labels(whole, np.arange(60, 120)), numbers)
    for side in ("held_out", "pool", "start", "known"):
        np.testing.assert_array_equal(getattr(now, side), getattr(then, side))
    assert now.labelled.all()


def test_held_out_frames_come_in_blocks_of_the_trajectory() -> None:
    found = divide(frames(1000), Selection(start=10))
    assert len(found.held_out) == 250
    runs = np.split(found.held_out, np.flatnonzero(np.diff(found.held_out) > 1) + 1)
    assert len(runs) <= 10
    assert min(map(len, runs)) >= 10
    assert len(np.intersect1d(found.pool, found.held_out)) == 0


@pytest.mark.parametrize(
    ("pool", "numbers", "message"),
    [
        (frames(3), Selection(), "at least 4 labelled frames, got 3 of 3"),
        (frames(40), Selection(start=31), "must be 2 to 30, the labelled frames"),
        (frames(40), Selection(start=1), "must be 2 to 30, the labelled frames .*, got 1"),
    ],
)
def test_too_few_frames_are_refused(pool: Frames, numbers: Selection, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        divide(pool, numbers)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size must be a whole number > 0, got 0"),
        ({"size": 2.5}, r"size must be a whole number > 0, got 2\.5"),
        ({"start": 10.0}, r"start must be a whole number > 0, got 10\.0"),
        ({"rounds": 1.5}, "rounds must be a whole number ≥ 0"),
        ({"holdout": 1.0}, "holdout must be a finite number > 0 and < 1, got 1.0"),
        ({"holdout": "a"}, "holdout must be a finite number > 0 and < 1, got 'a'"),
        ({"seed": None}, r"a seed must be a whole number from 0 to 2\^62, got None"),
    ],
)
def test_impossible_numbers_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Selection(**values)


def test_numbers_of_numpy_are_kept_as_json_has_them() -> None:
    given = Selection(start=np.int64(10), size=np.int32(5), holdout=np.float32(0.25), seed=np.int64(3))
    assert json.loads(json.dumps(asdict(given))) == asdict(Selection(10, 5, holdout=0.25, seed=3))


def test_energies_alone_can_be_selected_for() -> None:
    pool = frames(120)
    bare = pool.replace(forces=np.full_like(pool.forces, np.nan))
    assert divide(bare, Selection(start=10)).labelled.all()
