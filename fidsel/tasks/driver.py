"""The process that drives a campaign: started behind the terminal, and asked to end."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Final

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.config.load import FILE, load_config
from fidsel.exceptions import WAITING, FidselError, WaitingError
from fidsel.fidelity.store.lock import read_driver
from fidsel.fidelity.store.stop import StopFile

LOG: Final = "iterate.log"
"""In the campaign's folder: what a driver in the background prints."""
SHOWN: Final = 2000
"""Characters of the log that a failure quotes."""


def start_driver(folder: Path, arguments: Sequence[str] = ()) -> str:
    """Start `fidsel iterate` in a session of its own, which the end of a terminal does not reach.

    Returns words for a person, once the campaign is in its hands, or it has ended.

    Parameters
    ----------
    arguments : of `fidsel iterate`, but for the folder.

    Raises
    ------
    FidselError
        where another process works on the campaign, or the new one ends with an error at once.
    WaitingError
        where it ends at once since other people have to bring labels.
    """
    load_config(folder / FILE)
    store, log = CampaignFolder(folder).store, folder / LOG
    before = read_driver(store)
    if before is not None and before.alive:
        raise FidselError(f"another process drives this campaign: {before.words}")
    command = [sys.executable, "-m", "fidsel", "iterate", "--folder", str(folder), *arguments]
    start = log.stat().st_size if log.exists() else 0
    pid = _spawned(command, log)
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        driver = read_driver(store)
        if driver is not None and driver.holder is not None and driver.holder.pid == pid:
            return f"pid {pid} drives the campaign now: see {log}, `fidsel status`, `fidsel stop`"
        sleep(0.1)
    code = os.waitstatus_to_exitcode(ended[1])
    said = log.read_bytes()[start:].decode(errors="replace").strip()
    if code == WAITING:
        raise WaitingError(said[-SHOWN:])
    if code:
        raise FidselError(f"it ended at once with exit code {code}: {said[-SHOWN:]}")
    return f"nothing was left to do: see {log}"


def _spawned(command: Sequence[str], log: Path) -> int:
    """Start a program that leads a session of its own and prints to the end of a file; return its number."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], list(command), os.environ, file_actions=files, setsid=True)


def stop_driver(folder: Path, patience: float) -> str:
    """Ask the driver of a campaign to end, wait for it, and return words on what came of it.

    Parameters
    ----------
    patience : s to wait for its end.

    Raises
    ------
    FidselError
        where it does not end in that time; it still will.
    """
    store = CampaignFolder(folder).store
    driver, file = read_driver(store), StopFile(store)
    if driver is None or not driver.alive:
        return "no process drives this campaign"
    file.ask()
    if file.wait(Path(f"{store}.lock"), patience):
        return "the driver has ended; what was finished is stored, `fidsel iterate` goes on from there"
    raise FidselError(
        f"the driver was asked to end and has not within {patience:g} s: it ends with the step it is at "
        f"({driver.words})"
    )
