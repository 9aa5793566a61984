"""A campaign on blocks of nodes that things happen to, and what must be true of it in the end."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import sleep

import psutil
from small_campaign import CONFIG

from fidsel.campaign import iterate
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.config.build import open_campaign
from fidsel.fidelity import LabelStore, Ledger

LOCAL = """\
[engine]
kind = "parsl"
provider = "local"
cores_per_node = 1
blocks = 2
"""


def config(engine: str = LOCAL) -> str:
    """Return the small campaign, its labels on an engine; by default two blocks of one worker."""
    return CONFIG.replace("[engine]\nworkers = 1\n", f"{engine}\n[tracking]\nenabled = false\n")


def labels(folder: Path) -> int:
    """Return how many labels a campaign has."""
    path = CampaignFolder(folder).store
    if not Path(f"{path}.seal").exists():  # which comes last when a store is made
        return 0
    with LabelStore(path, read_only=True) as store:
        return store.count()


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start a driver; what it prints goes to a file `log`."""
    with (folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "fidsel", "iterate", "-C", folder]
        return subprocess.Popen(command, stdout=log, stderr=log)


def wait(until: Callable[[], bool], driver: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for something while a driver runs."""
    while not until():
        assert driver.poll() is None, log.read_text()
        sleep(0.2)


def check_undisturbed(folder: Path, other: Path) -> None:
    """Check that a campaign became what it is on one machine, run in another folder, and was paid once."""
    text = (folder / "fidsel.toml").read_text()
    other.mkdir()
    (other / "fidsel.toml").write_text(
        re.sub(r"(?ms)^\[engine\].*?^(?=\[)", "[engine]\nworkers = 1\n\n", text)
    )
    assert list(iterate(open_campaign(other)))
    one, two = (CampaignFolder(path).read_rounds() for path in (folder, other))
    assert [each.picks for each in one] == [each.picks for each in two]
    assert [(each.labels, each.spent) for each in one] == [(each.labels, each.spent) for each in two]
    with LabelStore(folder / "labels.db", read_only=True) as store:
        lines = Ledger(store).lines()
    bought = Counter((line.frame_id, line.key) for line in lines if line.kind == "label")
    assert set(bought.values()) == {1}
    assert {line.kind for line in lines} <= {"label", "lost", "cancelled", "charge", "shared"}
    assert sum(line.amount for line in lines if line.kind in {"lost", "cancelled"}) == 0
    assert not (folder / "labels.db.spool").exists()


def kill(what: str, folder: Path, driver: int | None = None) -> None:
    """Kill one kind of process of an engine on this machine, driven by `driver` or this process."""
    head = psutil.Process(driver)
    managers = named("process_worker_pool.py", str(folder))
    victims = {
        "manager": managers,
        # those that label have a process that does it; Parsl's own server of shared values has none
        "worker": [one for each in managers for one in each.children() if one.children()],
        "interchange": [one for one in head.children() if "interchange" in line(one)],
        "driver": [head],
    }[what]
    for victim in victims:
        try:
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def named(*words: str) -> list[psutil.Process]:
    """Return other processes whose command holds all of some words."""
    return [
        one for one in psutil.process_iter() if one.pid != os.getpid() and all(w in line(one) for w in words)
    ]


def line(process: psutil.Process) -> str:
    """Return the command of a process; empty where it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
