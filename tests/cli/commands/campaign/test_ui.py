import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from urllib.request import Request, urlopen

import pytest

from fidsel.cli import main
from fidsel.exceptions import FidselError
from fidsel.tracking import Store, serve


@pytest.fixture(scope="module")
def folder(
    small_campaign: Path, fresh_store: Callable[[Path], Store], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of the small campaign beside a store, which the first test finds empty."""
    copy = tmp_path_factory.mktemp("ui") / "50% of %20 #1?&c=d"
    shutil.copytree(small_campaign, copy)
    fresh_store(copy)
    return copy


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something serves on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def post(port: int, path: str, body: dict[str, object]) -> dict[str, list[dict[str, object]]]:
    url = f"http://127.0.0.1:{port}/api/2.0/mlflow/{path}"
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        found: dict[str, list[dict[str, object]]] = json.load(answer)
        return found


def processes_of(port: int) -> list[str]:
    """Command lines of processes on this machine that serve MLflow on a port."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if f"--port {port}" in line and "mlflow" in line and "fidsel ui" not in line:
            lines.append(line)
    return lines


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_page_is_served_here_alone_and_ends_with_all_it_started(
    folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "fidsel", "ui", str(folder), "--port", str(port), "--no-browser"]
    log, told = tmp_path / "ui.log", tmp_path / "ui.out"
    with (
        log.open("w") as file,
        told.open("w") as out,
        subprocess.Popen(command, stdout=out, stderr=file, env=os.environ) as ui,
    ):
        end = monotonic() + 120
        while not told.read_text().endswith("\n"):
            assert ui.poll() is None, log.read_text()
            assert monotonic() < end, log.read_text()
            sleep(0.1)
        with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert "MLflow" in answer.read().decode()
        names = {e["name"]: e for e in post(port, "experiments/search", {"max_results": 10})["experiments"]}
        identity = names["water"]["experiment_id"]
        page = f"http://127.0.0.1:{port}/#/experiments/{identity}/runs?viewStateShareKey=fidsel"
        assert told.read_text().startswith(page)
        assert log.read_text() == "rounds are sent to MLflow, and its page starts ...\n"
        runs = post(port, "runs/search", {"experiment_ids": [identity]})["runs"]
        assert len(runs) > 3  # the campaign, two rounds and their stages
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
            pass
        assert processes_of(port)
        ui.send_signal(number)
        assert ui.wait(60) == 0
    assert processes_of(port) == []


def test_port_in_use_is_an_error_that_names_it(
    folder: Path, taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fidsel", "ui", "-C", str(folder), "--port", str(taken)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert f"port {taken} of 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_a_server_that_cannot_start_is_told() -> None:
    with pytest.raises(FidselError, match=r"ended by itself with exit status [1-9].*: .+"):
        serve(Store("nowhere://x"), free_port())
