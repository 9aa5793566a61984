"""`Tracker`: one MLflow run per campaign, a child per round, a grandchild per training stage.

What is on disk under `rounds/` is the truth; `sync` sends what the tracking server does not have yet,
so that a server that was away is caught up later.
"""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import Round
from fidsel.exceptions import FidselError
from fidsel.tracking.entries import parameters, round_points, stage_points, without_passwords
from fidsel.tracking.runs import Entry, Stage, Tracked, send_rounds, tried

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


SPECIAL = frozenset("%?#")
"""Characters that have a meaning in a URI."""


@dataclass(frozen=True)
class Tracker:
    """Sends the rounds of a campaign folder to MLflow.

    The parent run holds the configuration and every metric of every round, against the round's number
    and (`vs_spent/`) against what was spent by then; a round's run its record, picks with reasons,
    cluster-error plot, model and data sets; a stage's run its losses and notes.

    Parameters
    ----------
    experiment : name of the MLflow experiment.
    uri : tracking URI; None = `mlflow.db` and `mlartifacts` in the campaign folder.
    parameters : configuration, logged with the parent run.
    """

    folder: CampaignFolder
    experiment: str
    uri: str | None = None
    parameters: Mapping[str, Any] | None = None

    @property
    def tracking_uri(self) -> str:
        """Where rounds go."""
        return self.uri or sqlite_uri(self.folder.path.resolve() / "mlflow.db")

    @property
    def shown_uri(self) -> str:
        """The tracking URI as it may be printed."""
        return without_passwords(self.tracking_uri)

    @property
    def artifacts(self) -> str | None:
        """URI of the folder for files; None = the tracking server decides."""
        return None if self.uri else (self.folder.path.resolve() / "mlartifacts").as_uri()

    def sync(self) -> str | None:
        """Send every finished round that the server does not have; return why that failed, or None.

        A failure is returned, not raised: tracking never stops a campaign, and the next call tries
        again. A round that was sent in part is replaced.

        Raises
        ------
        FidselError
            where `rounds/` itself cannot be read.
        """
        rounds = self.folder.read_rounds()
        if not rounds:
            return None

        def send() -> None:
            with _one_at_a_time(self.folder.path / ".mlflow.lock"):
                self._sync(rounds)

        trouble = tried(self.tracking_uri, send)
        return trouble and f"{trouble}; the rounds are kept and sent next time"

    def trouble(self) -> str | None:
        """Return why the tracking URI cannot be used, None where it answers; nothing is sent."""

        def ask() -> None:
            from mlflow import MlflowClient

            MlflowClient(tracking_uri=self.tracking_uri).search_experiments(max_results=1)

        return tried(self.tracking_uri, ask)

    def _sync(self, rounds: Sequence[Round]) -> None:
        from mlflow import MlflowClient

        if self.uri is None:
            self._make_store()
        client = MlflowClient(tracking_uri=self.tracking_uri)
        settings = parameters(self.parameters or {})
        what = Tracked(rounds[0].campaign, self.experiment, settings)
        entries = [self._entry(record) for record in rounds]
        send_rounds(client, self._experiment(client), what, entries, ended=bool(rounds[-1].stop))

    def _entry(self, record: Round) -> Entry:
        folder = self.folder.round(record.index)
        said = {"picks": len(record.picks), "stop": record.stop, "notes": "; ".join(record.notes)}
        stages = tuple(
            Stage(f"{number} {history['stage']}", stage_points(history), parameters(history["notes"]))
            for number, history in enumerate(record.training.get("histories", ()))
        )
        when = int(1000 * (folder / "round.json").stat().st_mtime)
        return Entry(record.index, round_points(record), parameters(said), stages, folder, when)

    def _make_store(self) -> None:
        """Make `mlflow.db` at one stroke: a store whose making is cut off could never be opened again."""
        from mlflow import MlflowClient

        store = self.folder.path.resolve() / "mlflow.db"
        draft = store.with_name(".mlflow.db.part")
        if not store.exists():
            draft.unlink(missing_ok=True)
            MlflowClient(tracking_uri=sqlite_uri(draft)).search_experiments(max_results=1)
            draft.replace(store)

    def _experiment(self, client: "MlflowClient") -> "Experiment":
        found = client.get_experiment_by_name(self.experiment)
        if found is None:
            return client.get_experiment(client.create_experiment(self.experiment, self.artifacts))
        if self.artifacts and found.artifact_location != self.artifacts:
            raise FidselError(
                f"mlflow.db keeps its files in {found.artifact_location}: this folder was moved or copied; "
                "delete mlflow.db and mlartifacts here, they are made anew from rounds/"
            )
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


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process sends the rounds of this folder."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
