"""A process that tidies up behind a driver that was killed, when nobody else is left to do so (Linux)."""

import os
import select
import shutil
from contextlib import suppress
from pathlib import Path

from fidsel.fidelity.engine.processes import kill_marked

MARK = "FIDSEL_WORKER"
"""Environment variable that a worker's programs inherit, so that they are found after its death."""


def start_guard(driver: int, scratch: Path) -> None:
    """Start a guard of this worker, which is neither its child nor in its process group.

    When the driver dies the kernel kills this process and its group at once. The guard then ends what has
    left the group, and removes the driver's scratch files. When this process alone ends, the driver does
    that, and the guard just goes.

    Parameters
    ----------
    driver : end of a pipe that closes when the driver ends.
    scratch : folder of the driver's workers.
    """
    worker, held = os.pipe()
    if child := os.fork():
        os.close(worker)
        os.waitpid(child, 0)
        return  # `held` stays open as long as this process lives
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.close(held)
        _close_others(driver, worker)
        select.select([driver, worker], [], [])
        if select.select([driver], [], [], 0)[0]:
            kill_marked(MARK, os.environ[MARK])
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os._exit(0)


def _close_others(*kept: int) -> None:
    """Close all files but some: nobody waits for a guard to let go of an output."""
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if number not in kept:
            with suppress(OSError):  # the one that listed them is closed by now
                os.close(number)
