"""Where runs are kept: a tracking server, or `mlflow.db` and `mlartifacts` in a folder."""

import fcntl
import json
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from fidsel.data.atomic import flush, write_text
from fidsel.tracking.entries import without_passwords
from fidsel.tracking.view import address

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

LOG = logging.getLogger(__name__)
SPECIAL = frozenset("%?#")
"""Characters that have a meaning in a URI."""

DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow waits minutes for a server that is away, tells its makers of its use, is chatty, and prints
addresses of runs with the password in them; a person who set one of these variables has their way."""


@dataclass(frozen=True)
class Store:
    """A tracking store of MLflow.

    Parameters
    ----------
    uri : tracking URI.
    folder : that the store lies in, where it is our own; None = the tracking server decides on its files.
    """

    uri: str
    folder: Path | None = None

    @classmethod
    def of(cls, uri: str | None, folder: Path) -> "Store":
        """Return the store of a tracking URI, or the one in a folder where there is none.

        The folder is also where a relative path of SQLite starts: the current folder may be another one the
        next time.

        >>> Store.of("sqlite:///runs.db", Path("/home/ada")).uri
        'sqlite:////home/ada/runs.db'
        """
        home = folder.resolve()
        if not uri:
            return cls(sqlite_uri(home / "mlflow.db"), home)
        path = sqlite_path(uri)
        return cls(uri if path is None else sqlite_uri(home / path))

    @property
    def shown(self) -> str:
        """The tracking URI as it may be printed."""
        return without_passwords(self.uri)

    @property
    def artifacts(self) -> str | None:
        """URI of the folder for files, beside a database on this machine; None = the tracking server decides.

        >>> Store("sqlite:////home/ada/runs.db").artifacts
        'file:///home/ada/mlartifacts'
        """
        path = sqlite_path(self.uri)
        folder = self.folder or (path and path.absolute().parent)
        return None if folder is None else (folder / "mlartifacts").as_uri()

    @property
    def loading(self) -> tuple[str, ...]:
        """Lines of Python that load a logged model from its `address`.

        >>> for line in Store.of(None, Path("/home/50%20ada")).loading:
        ...     print(line)
        import mlflow, tempfile
        mlflow.set_tracking_uri("sqlite+pysqlite:////home/50%2520ada/mlflow.db")
        model = mlflow.pyfunc.load_model(address, dst_path=tempfile.mkdtemp())
        """
        # MLflow takes escapes such as %20 in the path of a model back once too often, so that a model in a
        # folder whose name looks like one is read from a copy
        copied = self.folder is not None and unquote(str(self.folder)) != str(self.folder)
        return (
            f"import mlflow{', tempfile' if copied else ''}",
            f"mlflow.set_tracking_uri({json.dumps(self.shown)})",
            f"model = mlflow.pyfunc.load_model(address{', dst_path=tempfile.mkdtemp()' if copied else ''})",
        )

    @property
    def server(self) -> str | None:
        """Address of the page that it serves itself, without user name and password; None = it has none."""
        if not self.uri.startswith(("http://", "https://")):
            return None
        return re.sub(r"://[^/@]+@", "://", self.uri).rstrip("/")

    def client(self) -> "MlflowClient":
        """Return a client, the store made where it is our own and not there."""
        from mlflow import MlflowClient

        if self.folder is not None:
            _make(self.folder)
        return MlflowClient(tracking_uri=self.uri)

    def experiment(self, client: "MlflowClient", name: str) -> "Experiment":
        """Return an experiment, made where it is not there."""
        found = client.get_experiment_by_name(name)
        return found or client.get_experiment(client.create_experiment(name, self.artifacts))

    def forget_files(self, *parts: str) -> None:
        """Remove the files of a run or model that is given up, which MLflow itself keeps.

        Only in a store of our own: a tracking server decides on its files.

        Parameters
        ----------
        parts : where they lie below `mlartifacts`.
        """
        if self.folder is None:
            return
        place = self.folder.joinpath("mlartifacts", *parts)
        if place.exists():
            shutil.rmtree(place)

    def page(self, experiment: str) -> str:
        """Return the address of the prepared view of an experiment, on its server."""
        with mlflow_defaults():
            return address(self.experiment(self.client(), experiment).experiment_id)

    def trouble(self) -> str | None:
        """Return why the store cannot be used, None where it answers; nothing is sent."""

        def ask() -> None:
            from mlflow import MlflowClient

            MlflowClient(tracking_uri=self.uri).search_experiments(max_results=1)

        return self.tried(ask)

    def tried(self, action: Callable[[], None]) -> str | None:
        """Return in one line why an action on the store failed, None where it did not."""
        try:
            with mlflow_defaults(self.uri):
                action()
        except Exception as error:  # isolation boundary: stores and artifact plugins raise what they like
            why = " ".join(str(error).split())[:200] or type(error).__name__
            return f"tracking at {self.shown} failed: {without_passwords(why)}"
        return None


def _make(folder: Path) -> None:
    """Make the store of a folder where it is not there, or was made in another folder.

    MLflow writes down where its files lie, so that a store that was moved or copied would go on in the old
    place. Such a one is set aside. A new one is made at one stroke: one whose making is cut off could never
    be opened again.
    """
    from mlflow import MlflowClient

    store, files = folder / "mlflow.db", folder / "mlartifacts"
    home = files / ".home"
    if store.exists() and (not home.exists() or home.read_text(encoding="utf-8") != str(folder)):
        LOG.info("%s was made in another folder: set aside as %s.moved and made anew", store, store.name)
        for path in (store, files):
            if path.exists():
                path.replace(_unused(path.with_name(f"{path.name}.moved")))
    draft = store.with_name(".mlflow.db.part")
    if not store.exists():
        draft.unlink(missing_ok=True)
        with unflushed():
            MlflowClient(tracking_uri=sqlite_uri(draft)).search_experiments(max_results=1)
        flush(draft)
        files.mkdir(exist_ok=True)
        write_text(home, str(folder))
        draft.replace(store)


@contextmanager
def unflushed() -> Iterator[None]:
    """Let SQLite files that are opened in a `with` block not wait for the disk.

    MLflow makes its tables in a thousand steps, each of which would wait for it.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def opened(connection: Any, _: Any) -> None:  # Any: a connection of whatever driver
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", opened)
    try:
        yield
    finally:
        event.remove(Engine, "connect", opened)


def _unused(path: Path) -> Path:
    number, found = 2, path
    while found.exists():
        number, found = number + 1, path.with_name(f"{path.name}{number}")
    return found


def sqlite_uri(path: Path) -> str:
    """Return the tracking URI of a SQLite file.

    In a path with special characters they are escaped. Whether SQLAlchemy, or SQLite itself, takes the
    escapes back depends on SQLAlchemy's version. The name of the driver keeps MLflow from taking the
    escaped path for a folder to make.

    Examples
    --------
    >>> sqlite_uri(Path("/home/ada/mlflow.db"))
    'sqlite:////home/ada/mlflow.db'
    """
    if not SPECIAL.intersection(str(path)):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import make_url

    escaped = quote(str(path))
    uri = f"sqlite+pysqlite:///{escaped}"
    return uri if make_url(uri).database == str(path) else f"sqlite+pysqlite:///file:{escaped}?uri=true"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of SQLite that a tracking URI names; None = it names none, or has options of its own.

    Examples
    --------
    >>> sqlite_path("sqlite:///runs.db"), sqlite_path("https://mlflow.org")
    (PosixPath('runs.db'), None)
    """
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        named = make_url(uri)
    except ArgumentError:  # MLflow says what is wrong with it
        return None
    name, options = named.database or ":memory:", dict(named.query)
    if name.startswith("file:") and options == {"uri": "true"}:  # as `sqlite_uri` may put it
        return Path(unquote(name.removeprefix("file:")))
    return None if options or name == ":memory:" else Path(name)


@contextmanager
def mlflow_defaults(uri: str | None = None) -> Iterator[None]:
    """Set the environment variables of `DEFAULTS` that are not set, for the time of a `with` block.

    Parameters
    ----------
    uri : default tracking URI; without one, MLflow may make an mlflow.db in the current folder.
    """
    wanted = DEFAULTS | ({"MLFLOW_TRACKING_URI": uri} if uri else {})
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process sends to the store of this folder, or from it."""
    with (folder / ".mlflow.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
