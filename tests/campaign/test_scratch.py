"""Folders appear whole or not at all, whoever else writes; only what is surely dead is removed."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.scratch import appearing, remove_leftovers
from fidsel.exceptions import FidselError
from fidsel.fidelity.store.process_identity import ProcessIdentity

UNFINISHED = """\
import sys, time
from pathlib import Path
from fidsel.campaign.scratch import appearing
with appearing(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("x")
    print("ready", flush=True)
    time.sleep(1000)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_that_write_the_same_folder(tmp_path: Path) -> None:
    target = tmp_path / "0001"

    def second() -> None:
        with appearing(target) as late:
            (late / "who").write_text("second")
            with appearing(target) as early:
                assert late != early
                (early / "who").write_text("first")
            remove_leftovers(tmp_path)
            assert late.exists(), "its process runs"

    with pytest.raises(FileExistsError, match="0001 was made by another process meanwhile"):
        second()
    assert names(tmp_path) == ["0001"]
    assert (target / "who").read_text() == "first"


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with appearing(tmp_path / "0001") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert names(tmp_path) == []


@pytest.fixture
def unfinished(tmp_path: Path) -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", UNFINISHED, str(tmp_path / "0001")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def test_what_a_killed_process_left_is_removed_and_no_other(
    tmp_path: Path, unfinished: "subprocess.Popen[str]"
) -> None:
    remove_leftovers(tmp_path)
    assert len(names(tmp_path)) == 2
    os.kill(unfinished.pid, signal.SIGKILL)
    unfinished.communicate()
    assert len(names(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "kept"),
    [({"host": "elsewhere"}, True), ({"machine": "other"}, True), ({"pid": 0, "born": "0"}, False)],
)
def test_what_may_be_alive_elsewhere_stays(tmp_path: Path, change: dict[str, object], kept: bool) -> None:
    part, owner = tmp_path / ".0001.a.part", tmp_path / ".0001.a.owner"
    part.mkdir()
    owner.write_text(replace(ProcessIdentity.this(), **change).text())
    remove_leftovers(tmp_path)
    assert part.exists() is owner.exists() is kept


@pytest.mark.parametrize(
    ("age", "folder", "kept"), [(0, False, True), (3600, False, False), (3600, True, True)]
)
def test_an_owner_that_names_nobody(tmp_path: Path, age: int, folder: bool, kept: bool) -> None:
    owner = tmp_path / ".0001.a.owner"
    owner.write_text("{")
    if folder:
        owner.with_suffix(".part").mkdir()
    os.utime(owner, (owner.stat().st_mtime - age,) * 2)
    remove_leftovers(tmp_path)
    assert owner.exists() is kept


def test_a_round_that_another_driver_has_published(finished: Path, tmp_path: Path) -> None:
    folder = CampaignFolder(Path(shutil.copytree(finished, tmp_path / "campaign")))
    record = folder.read_rounds()[-1]

    def publish() -> None:
        with folder.publishing(record) as scratch:
            (scratch / "mine").touch()

    with pytest.raises(FidselError, match=r"0002 was written by another driver .*--break-lock.*run the same"):
        publish()
    assert not (folder.round(2) / "mine").exists()
    assert not list(folder.rounds.glob(".*"))
