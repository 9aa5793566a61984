from pathlib import Path

import pytest
import torch

from fidsel.models.checkpoints import Checkpoints
from fidsel.models.watch import QUIET, Progress, Watch, spoken

KEY = "0" * 32


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")]
)
def test_times_are_told_in_two_units(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_what_is_over_has_no_time_left() -> None:
    assert Progress("fit", 5, 5, "rows", left=3.0).detail == "rows"
    assert Progress("fit", 4, 5, "rows", left=3.0).detail == "rows, 3 s left"


def test_parts_are_named_one_in_the_other() -> None:
    watch = QUIET.part("pre-train").part("member 2")
    assert watch.stage == "pre-train, member 2"
    assert QUIET.idle
    assert watch.idle
    assert not Watch([].append).idle


def test_few_messages_of_many_steps_but_the_first_and_the_last() -> None:
    heard: list[Progress] = []
    task = Watch(heard.append, stage="fit").task("facts")
    for step in range(1, 2001):
        task.tell(step, 2000, loss=1 / step)
    assert (heard[0].step, heard[-1].step) == (1, 2000)
    assert len(heard) < 1000
    assert heard[-1] == Progress("fit", 2000, 2000, "steps", 1 / 2000, heard[-1].left)
    task.tell(1, 9, "rows")
    assert heard[-1].unit == "rows", "another unit is another count"


def test_time_left_follows_from_the_part_that_is_over() -> None:
    heard: list[Progress] = []
    task = Watch(heard.append).task(None)
    task.tell(0, 4)
    assert heard[-1].left is None
    task.tell(4, 4)
    assert heard[-1].left == 0.0


def test_what_a_task_keeps_is_loaded_by_the_same_task_only(tmp_path: Path) -> None:
    watch = Watch(checkpoints=Checkpoints(tmp_path, KEY, every=-1.0)).part("fit")
    task = watch.task({"n": 3})
    assert task.load() is None
    assert task.due()
    task.save({"step": 7}, {"x": torch.arange(3.0)})
    again = Watch(checkpoints=Checkpoints(tmp_path, KEY)).part("fit")
    found = again.task({"n": 3}).load()
    assert found is not None
    assert (found[0], found[1]["x"].tolist()) == ({"step": 7}, [0.0, 1.0, 2.0])
    assert Watch(checkpoints=Checkpoints(tmp_path, KEY)).part("fit").task({"n": 4}).load() is None


def test_a_task_that_nobody_watches_keeps_nothing() -> None:
    task = QUIET.task(None)
    task.save({}, {})
    task.finish({}, {})
    assert task.load() is None
    assert not task.due()
