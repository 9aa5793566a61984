"""What the machine may do to a campaign: signals, a second driver, full and read-only disks, bad workers."""

import os
import platform
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from time import monotonic, sleep

import pytest
from mounts import mounted
from tiny_campaign import (
    all_gone,
    check_consistent,
    labels,
    outcome,
    picks,
    run,
    start,
    write_campaign,
)

from fidsel.exceptions import FidselError
from fidsel.fidelity import LabelStore


def wait_for(path: Path, child: subprocess.Popen[str]) -> None:
    end = monotonic() + 300
    while not path.exists() and child.poll() is None and monotonic() < end:
        sleep(0.02)
    assert path.exists(), child.communicate()


def test_interrupt_ends_cleanly(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate="pause = 0.2")
    child = start(folder)
    wait_for(folder / "plan.json", child)
    sleep(0.3)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does, to the workers too
    _, text = child.communicate(timeout=60)
    assert child.returncode == 130, text
    assert "the same command goes on from there" in text
    assert "Traceback" not in text
    assert all_gone(child.pid)
    check_consistent(folder) if (folder / "rounds").exists() else None
    found = run(folder, "fidelity.1.options.pause=0", "campaign.rounds=1")
    assert found[-1].stop
    check_consistent(folder)


@pytest.mark.slow
def test_second_driver_is_refused(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path, accurate="pause = 0.3")
    first = start(folder)
    wait_for(folder / "labels.db.lock", first)
    status, text = outcome(folder)
    first.kill()
    first.communicate()
    assert status == 1
    assert f"pid {first.pid} on {platform.node()}" in text
    assert "Traceback" not in text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of forty megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder, "size=40m"):
        yield folder


def fill(folder: Path, spare: int) -> Path:
    """Fill the disk of a folder up to some bytes."""
    path = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    path.write_bytes(bytes(max(free - spare, 0)))
    return path


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "spare", [pytest.param(40_000, marks=SLOW), 450_000, pytest.param(6_000_000, marks=SLOW)]
)
def test_full_disk(small_disk: Path, finished: Path, tmp_path: Path, spare: int) -> None:
    """Full while labels are bought (little spare) or while rounds are written (more)."""
    folder = write_campaign(small_disk / "campaign")
    ballast = fill(small_disk, spare)
    status, text = outcome(folder, "campaign.control=bought")
    assert status == 1, text
    assert "Traceback" not in text
    assert "full" in text or "No space left" in text
    ballast.unlink()
    run(folder, "campaign.control=bought")
    check_consistent(folder)
    assert picks(folder) == picks(finished)
    assert labels(folder) == labels(finished)


def test_read_only_folder(small_disk: Path) -> None:
    folder = write_campaign(small_disk / "campaign")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(FidselError, match="ead-only"):
        run(folder)


def test_rounds_that_cannot_be_written(finished: Path, tmp_path: Path) -> None:
    folder = copytree(finished, tmp_path / "copy")
    more = ("campaign.rounds=3", "budget.total=26")
    (folder / "rounds" / "0003").write_text("in the way")
    with pytest.raises(FidselError, match=r"could not write .*0003: .*run the same command again"):
        run(folder, *more)
    (folder / "rounds" / "0003").unlink()
    assert len(run(folder, *more)) == 4
    check_consistent(folder)


@pytest.mark.parametrize("act", ["crash", "hang"])
def test_bad_labels_cost_only_themselves(tmp_path: Path, act: str) -> None:
    folder = write_campaign(tmp_path, accurate=f'act = "{act}", one_in = 8')
    found = run(folder, "fidelity.1.time_limit=1.0", "campaign.rounds=1")
    status = {"crash": "crashed", "hang": "timeout"}[act]
    with LabelStore(folder / "labels.db", read_only=True) as store:
        lost = store.query("SELECT count(*) FROM attempts WHERE status = ?", [status])[0][0]
        others = store.query("SELECT DISTINCT status FROM attempts WHERE status != ?", [status])
    assert lost >= 1
    assert others == [("done",)]
    assert found[-1].stop
    check_consistent(folder)
