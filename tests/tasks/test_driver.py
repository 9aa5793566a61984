"""A driver behind the terminal, and one that is asked to end."""

import os
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest
from command_line import write_campaign

from fidsel.exceptions import FidselError
from fidsel.fidelity.store.lock import CampaignLock, read_driver
from fidsel.tasks.driver import LOG, start_driver, stop_driver

HOLDER = """
import sys, time
from fidsel.fidelity import open_store
try:
    with open_store(sys.argv[1]):
        print("holds", flush=True)
        time.sleep(1000)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_driver_outlives_the_one_who_started_it(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "campaign")
    assert f"see {folder / LOG}" in start_driver(folder, ["budget.total=11"])
    while (driver := read_driver(folder / "labels.db")) is not None:
        assert driver.holder is not None
        assert os.getsid(driver.holder.pid) == driver.holder.pid != os.getsid(0)
        sleep(0.2)
    assert (folder / "rounds" / "0000" / "round.json").exists(), (folder / LOG).read_text()


def test_what_ends_a_driver_at_once_is_said(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "campaign")
    (folder / "pool.npz").unlink()
    with pytest.raises(FidselError, match=r"(?s)ended at once with exit code 2.*pool\.npz"):
        start_driver(folder)


def test_there_is_one_driver(tmp_path: Path) -> None:
    folder = write_campaign(tmp_path / "campaign")
    with CampaignLock(folder / "labels.db"):
        with pytest.raises(FidselError, match=f"another process drives this campaign: pid {os.getpid()}"):
            start_driver(folder)
        with pytest.raises(FidselError, match=r"has not within 0\.2 s"):
            stop_driver(folder, 0.2)
    assert stop_driver(folder, 1.0) == "no process drives this campaign"


def test_a_driver_ends_as_after_ctrl_c(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "labels.db"], stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "holds\n"
        assert "what was finished is stored" in stop_driver(tmp_path, 60.0)
        assert driver.stdout.readline() == "interrupted\n"
    assert {path.name for path in tmp_path.iterdir()} <= {"labels.db", "labels.db.seal"}
