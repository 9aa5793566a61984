import pickle
from pathlib import Path

import pytest

from fidsel.models.watch import Progress
from fidsel.training.progress_files import ProgressFile, following


def test_messages_come_through_a_file_and_an_end_is_never_left_out(tmp_path: Path) -> None:
    heard: list[Progress] = []
    tell: ProgressFile = pickle.loads(pickle.dumps(ProgressFile(tmp_path / "a.json")))
    with following({tell.path: heard.append, tmp_path / "silent.json": heard.append}):
        tell(Progress("pre-train", 2, 2))
        for step in range(1, 101):
            tell(Progress("fine-tune", step, 100, loss=0.5 / step))
    assert heard[-1] == Progress("fine-tune", 100, 100, loss=0.005)
    assert heard[0] == Progress("pre-train", 2, 2), "a stage that another follows at once"
    assert len(heard) < 100, "most messages between are not told"


def test_a_message_that_cannot_be_written_is_lost_alone(tmp_path: Path) -> None:
    ProgressFile(tmp_path / "no folder" / "a.json")(Progress("fine-tune", 1, 1))
    assert list(tmp_path.iterdir()) == []


def test_what_a_listener_raises_is_raised(tmp_path: Path) -> None:
    def refuse(progress: Progress) -> None:
        raise ValueError(progress.stage)

    tell = ProgressFile(tmp_path / "a.json")
    with pytest.raises(ValueError, match="fine-tune"), following({tell.path: refuse}):
        tell(Progress("fine-tune", 1, 1))
