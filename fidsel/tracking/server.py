"""MLflow's page of a campaign, served on this machine alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

from fidsel.exceptions import FidselError, UsageError
from fidsel.tracking.runs import DEFAULTS
from fidsel.tracking.tracker import Tracker

HOST = "127.0.0.1"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
"""s the server has to end by itself."""


def serve(tracker: Tracker, port: int, ready: Callable[[], None] = lambda: None) -> None:
    """Serve MLflow's page on 127.0.0.1 until Ctrl-C; the server and all it started end with the call.

    Parameters
    ----------
    ready : called once the page can be opened.

    Raises
    ------
    UsageError
        where the rounds are on a tracking server that has its own page.
    FidselError
        where the port is in use or the server ends by itself.
    """
    if tracker.tracking_uri.startswith(("http://", "https://", "databricks")):
        raise UsageError(f"these rounds are on a tracking server: open {tracker.tracking_uri}")
    _check_free(port)
    with _interrupts(), _started(_command(tracker, port)) as server, suppress(KeyboardInterrupt):
        if _wait_until_up(server, port):
            ready()
            server.wait()
        raise FidselError(f"the MLflow server ended by itself with exit status {server.returncode}")


def _command(tracker: Tracker, port: int) -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--backend-store-uri", tracker.tracking_uri, "--workers", "1"]
    return command + (["--default-artifact-root", tracker.artifacts] if tracker.artifacts else [])


def _check_free(port: int) -> None:
    if not 0 < port < 65536:
        raise UsageError(f"a port is a number from 1 to 65535, got {port}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise FidselError(
                f"port {port} of {HOST} cannot be used ({error.strerror}): stop what serves there, or name "
                "another one with --port"
            ) from error


@contextmanager
def _started(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program in a process group of its own and end the whole group with the `with` block."""
    settings = {**DEFAULTS, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    server = subprocess.Popen(command, env=settings, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield server
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(server.pid, number)
            with suppress(subprocess.TimeoutExpired):
                server.wait(PATIENCE)


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # what follows cleans up and is not to be cut short
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_up(server: "subprocess.Popen[bytes]", port: int) -> bool:
    """Return whether the server answers; False where it ended before it did."""
    while server.poll() is None:
        with suppress(URLError, ConnectionError, TimeoutError):
            urlopen(f"http://{HOST}:{port}/health", timeout=5).close()
            return True
        sleep(0.2)
    return False
