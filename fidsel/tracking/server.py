"""MLflow's page of a campaign, served on this machine alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from time import sleep
from types import FrameType
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from fidsel.exceptions import FidselError, UsageError
from fidsel.tracking.store import DEFAULTS, Store

HOST, USUAL = "127.0.0.1", 5000
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 10.0
"""s the server has to end by itself."""


def serve(store: Store, port: int | None = None, ready: Callable[[str], None] = lambda _url: None) -> None:
    """Serve MLflow's page on 127.0.0.1 until Ctrl-C; the server and all it started end with the call.

    Parameters
    ----------
    port : None = `USUAL` where it is free, else any that is.
    ready : called with the address once the page can be opened.

    Raises
    ------
    UsageError
        where the store is a tracking server, which has its own page.
    FidselError
        where the port is in use or the server ends by itself.
    """
    if store.server or store.uri.startswith("databricks"):
        raise UsageError(f"these rounds are on a tracking server: open {store.shown}")
    port = _free() if port is None else _checked(port)
    command = _command(store, port)
    with TemporaryFile() as log, _interrupts(), _started(command, log) as server, suppress(KeyboardInterrupt):
        if _wait_until_up(server, port):
            ready(f"http://{HOST}:{port}")
            server.wait()
        log.seek(0)
        last = log.read().decode(errors="replace").strip().splitlines()[-1:]
        raise FidselError(
            f"the MLflow server ended by itself with exit status {server.returncode}: {' '.join(last)}"
        )


def _command(store: Store, port: int) -> list[str]:
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--backend-store-uri", store.uri, "--workers", "1"]
    return command + (["--default-artifact-root", store.artifacts] if store.artifacts else [])


def _checked(port: int) -> int:
    if not 0 < port < 65536:
        raise UsageError(f"a port is a number from 1 to 65535, got {port}")
    try:
        return _bound(port)
    except OSError as error:
        raise FidselError(
            f"port {port} of {HOST} cannot be used ({error.strerror}): stop what serves there, or leave out "
            "--port, which finds a free one"
        ) from error


def _free() -> int:
    """Return the usual port where it is free: what a browser keeps of a page, it keeps by port."""
    try:
        return _bound(USUAL)
    except OSError:
        return _bound(0)


def _bound(port: int) -> int:
    """Return the port that a socket gets when it asks for one; 0 = any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def _started(command: list[str], log: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program in a process group of its own and end the whole group with the `with` block.

    What it prints goes to `log`.
    """
    settings = {**DEFAULTS, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    server = subprocess.Popen(
        command, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
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
