"""The folder of a campaign: where each file lives, and how a round is written at one stroke."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fidsel.campaign.records.round import Round
from fidsel.campaign.scratch import appearing, remove_leftovers
from fidsel.data.atomic import write_text
from fidsel.exceptions import FidselError, UsageError

PICK_COLUMNS = ("frame", "row", "fidelity", "cluster", "reason")


@dataclass(frozen=True)
class CampaignFolder:
    """Paths inside a campaign's folder.

    Parameters
    ----------
    path : the folder that holds fidsel.toml.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The only file a person writes."""
        return self.path / "fidsel.toml"

    @property
    def store(self) -> Path:
        """Frames, labels and ledger."""
        return self.path / "labels.db"

    @property
    def engine(self) -> Path:
        """What an engine of several machines writes: logs, job scripts, notes on what runs."""
        return self.path / "engine"

    @property
    def templates(self) -> Path:
        """Templates of inputs for labels that other people compute, which a person may edit."""
        return self.path / "templates"

    @property
    def plan(self) -> Path:
        """What `plan` recommended and why."""
        return self.path / "plan.json"

    @property
    def rounds(self) -> Path:
        """One folder per finished round."""
        return self.path / "rounds"

    @property
    def trainings(self) -> Path:
        """Checkpoints of trainings under way."""
        return self.rounds / ".training"

    def round(self, index: int) -> Path:
        """Folder of a round."""
        return self.rounds / f"{index:04d}"

    def finished(self) -> int:
        """Return how many rounds are finished, without reading them."""
        return sum((path / "round.json").exists() for path in self.rounds.glob("[0-9]*"))

    def read_rounds(self) -> tuple[Round, ...]:
        """Return the finished rounds, in order.

        Raises
        ------
        FidselError
            where a round is missing from the row or its record cannot be read.
        """
        found = sorted(p for p in self.rounds.glob("[0-9]*") if (p / "round.json").exists())
        rounds = tuple(_read_round(p / "round.json") for p in found)
        for expected, (path, record) in enumerate(zip(found, rounds, strict=True)):
            if path != self.round(expected) or record.index != expected:
                raise FidselError(
                    f"rounds must be numbered without gaps, found {path.name} where {expected:04d} "
                    f"must be: put the missing folder back, or move the later ones away to redo them"
                )
            if record.labels.keys() != rounds[0].labels.keys():
                raise FidselError(
                    f"{path / 'round.json'} is damaged: it counts labels of {', '.join(record.labels)}, "
                    f"round 0 those of {', '.join(rounds[0].labels)}. {_remedy(path.name)}"
                )
        return rounds

    @contextmanager
    def publishing(self, record: Round) -> Iterator[Path]:
        """Give an empty folder to fill; at the end record and picks join it and it is put in place.

        An unfinished one is never read, and is removed when its process is surely gone.

        Raises
        ------
        FidselError
            where the system refuses (disk full, read-only folder), or another driver of the campaign has
            written this round meanwhile.
        """
        target = self.round(record.index)
        try:
            remove_leftovers(self.rounds)
            with appearing(target) as scratch:
                yield scratch
                write_text(scratch / "picks.csv", picks_table(record))
                write_text(scratch / "round.json", record.to_json())
        except OSError as error:
            if (target / "round.json").exists():
                raise FidselError(
                    f"{target} was written by another driver of this campaign (--break-lock): this one "
                    "stops, what both bought is kept; run the same command again to go on from that round"
                ) from error
            raise FidselError(
                f"could not write {target}: {error.strerror or error}. What was bought is kept: "
                "free space or check the permissions, then run the same command again"
            ) from error


def _read_round(path: Path) -> Round:
    try:
        return Round.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FidselError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UsageError, UnicodeDecodeError) as error:
        raise FidselError(f"{path} is damaged: {error}. {_remedy(path.parent.name)}") from error


def _remedy(name: str) -> str:
    return (
        f"Put back a copy, or move rounds {name} and later away to redo them from the labels that are bought"
    )


def picks_table(record: Round) -> str:
    """Return the picks of a round as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(PICK_COLUMNS)
    writer.writerows([getattr(pick, name) for name in PICK_COLUMNS] for pick in record.picks)
    return out.getvalue()
