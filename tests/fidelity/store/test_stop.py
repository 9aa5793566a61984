import signal
from pathlib import Path
from types import FrameType

import pytest

from fidsel.fidelity import StoreError, open_store
from fidsel.fidelity.store.stop import StopFile


def test_the_heartbeat_interrupts_the_program_once(tmp_path: Path) -> None:
    """By the signal that the program handles, where it handles one."""
    file, heard = StopFile(tmp_path / "labels.db"), list[int]()

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGTERM, hear)
    try:
        with open_store(tmp_path / "labels.db") as (_, lock):
            assert lock.beat is not None
            lock.beat()
            file.ask()
            lock.beat()
            lock.beat()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    file.ask()
    with pytest.raises(KeyboardInterrupt):
        file.obey()
    assert not file.path.exists()


def test_what_was_asked_of_an_earlier_driver_does_not_concern_this_one(tmp_path: Path) -> None:
    file = StopFile(tmp_path / "labels.db")
    file.ask()
    with open_store(tmp_path / "labels.db"):
        assert not file.path.exists()
    assert file.wait(tmp_path / "labels.db.lock", 1.0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"labels\.db\.stop"):
        StopFile(tmp_path / "none" / "labels.db").ask()
