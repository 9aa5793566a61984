"""A tracking server as a group runs it: MLflow with basic authentication on PostgreSQL, to be killed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from urllib.error import URLError
from urllib.request import urlopen

import pytest

USER, PASSWORD = "ada", "correct-horse-battery"
AUTH = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/users.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@dataclass
class RemoteMlflow:
    """A server that is started, killed and started again on the same database and files."""

    folder: Path
    database: str
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = self.folder / "auth.ini"
        settings.write_text(AUTH.format(folder=self.folder, user=USER, password=PASSWORD))
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--backend-store-uri", self.database]
        command += ["--artifacts-destination", str(self.files)]
        ours = {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": "abc"}
        ours |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | ours,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while True:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            with suppress(URLError, ConnectionError, TimeoutError):
                urlopen(f"{self.uri}/health", timeout=5).close()
                return
            sleep(0.2)

    def kill(self) -> None:
        """End the server and its workers as a power cut does."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def remote_mlflow() -> Iterator[RemoteMlflow]:
    """Serve MLflow on a database cluster of its own; skip where PostgreSQL is not installed."""
    with TemporaryDirectory(prefix="fidsel-remote-") as name, postgres() as database:
        found = RemoteMlflow(Path(name), database, free_port())
        try:
            yield found
        finally:
            found.kill()


@contextmanager
def postgres() -> Iterator[str]:
    """Run PostgreSQL on a new cluster in a temporary folder, and return the address of a database in it.

    It refuses to run as root, who lends it the user of Debian's package, or nobody.
    """
    pytest.importorskip("psycopg2", reason="needs pip install 'fidsel[test]'")
    pytest.importorskip("flask_wtf", reason="needs pip install 'fidsel[test]'")
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(p).parent for p in found_initdb()]
    if not tools:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # not below pytest's own folder, which no other user can enter
    with TemporaryDirectory(prefix="fidsel-postgres-") as name:
        home, port = Path(name), free_port()
        (home / "password").write_text(PASSWORD)
        as_user = lent_to(home) if os.getuid() == 0 else []
        run = [*as_user, str(tools[-1] / "initdb"), "--pgdata", f"{home}/data", "--username", "mlflow"]
        run += ["--auth", "scram-sha-256", "--pwfile", f"{home}/password", "--no-sync"]
        subprocess.run(run, check=True, capture_output=True, cwd=home)
        command = [*as_user, str(tools[-1] / "pg_ctl"), "--pgdata", f"{home}/data"]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        start = [*command, "start", "--wait", "--log", f"{home}/log", "--options", options]
        subprocess.run(start, check=True, capture_output=True, cwd=home)
        try:
            yield f"postgresql+psycopg2://mlflow:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run(
                [*command, "stop", "--mode", "immediate"], check=True, capture_output=True, cwd=home
            )


def found_initdb() -> list[str]:
    """Return where initdb is on the PATH, nothing where it is not."""
    found = shutil.which("initdb")
    return [found] if found else []


def lent_to(folder: Path) -> list[str]:
    """Give a folder to an unprivileged user, and return what a command begins with that runs as that one."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, name)
    return ["runuser", "-u", name, "--"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
