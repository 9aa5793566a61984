import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fidsel.models.watch import Progress
from fidsel.training.progress_files import ProgressFile, following, remove


def test_messages_come_through_a_file_and_an_end_is_never_left_out(tmp_path: Path) -> None:
    heard: list[Progress] = []
    ends = [Progress("surrogate", 8, 8, "rows"), Progress("surrogate", 30, 30, "fits")]
    tell: ProgressFile = pickle.loads(pickle.dumps(ProgressFile(tmp_path / "a.json")))
    with following({tell.path: heard.append, tmp_path / "silent.json": heard.append}):
        for end in ends:
            tell(end)
        for step in range(1, 101):
            tell(Progress("fine-tune", step, 100, loss=0.5 / step))
    assert heard[-1] == Progress("fine-tune", 100, 100, loss=0.005)
    assert heard[:2] == ends, "a stage that others follow at once"
    assert len(heard) < 100, "most messages between are not told"


def test_a_message_that_cannot_be_written_is_lost_alone(tmp_path: Path) -> None:
    ProgressFile(tmp_path / "no folder" / "a.json")(Progress("fine-tune", 1, 1))
    assert list(tmp_path.iterdir()) == []


def test_half_a_message_counts_as_none(tmp_path: Path) -> None:
    heard: list[Progress] = []
    with following({tmp_path / "a.json": heard.append}):
        (tmp_path / "a.json").write_text('[{"stage": "fine-')
    assert heard == []


def test_files_and_what_was_being_written_are_removed(tmp_path: Path) -> None:
    for name in ("a.json", "a.123.part", "ab.json"):
        (tmp_path / name).touch()
    remove(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == ["ab.json"]


def test_what_a_listener_raises_is_raised_at_the_next_check_and_at_the_end(tmp_path: Path) -> None:
    def refuse(progress: Progress) -> None:
        raise ValueError(progress.stage)

    tell = ProgressFile(tmp_path / "a.json")
    with pytest.raises(ValueError, match="fine-tune"), following({tell.path: refuse}):
        tell(Progress("fine-tune", 1, 1))
    with pytest.raises(ValueError, match="fine-tune"), following({tell.path: refuse}) as check:
        endless(check)


def endless(check: Callable[[], None]) -> None:
    while True:
        check()
        time.sleep(0.01)
