"""What is refused before a server is started; the server itself is tested through `fidsel ui`."""

import socket
from pathlib import Path

import pytest

from fidsel.exceptions import FidselError, UsageError
from fidsel.tracking import Store, serve


@pytest.mark.parametrize("uri", ["https://mlflow.example.org", "databricks"])
def test_a_tracking_server_has_its_own_page(uri: str) -> None:
    with pytest.raises(UsageError, match=rf"are on a tracking server: open {uri}"):
        serve(Store(uri), 5000)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_is_a_port(tmp_path: Path, port: int) -> None:
    with pytest.raises(UsageError, match=f"from 1 to 65535, got {port}"):
        serve(Store.of(None, tmp_path), port)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            FidselError, match=rf"port {port} of 127\.0\.0\.1 cannot be used .* leave out --port"
        ):
            serve(Store.of(None, tmp_path), port)
