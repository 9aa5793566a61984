"""The folder of a campaign: where each file lives, and how a round is written at one stroke."""

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from fidsel.campaign.record import Round
from fidsel.data.atomic import write_text
from fidsel.errors import FidselError

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
    def plan(self) -> Path:
        """What `plan` recommended and why."""
        return self.path / "plan.json"

    @property
    def rounds(self) -> Path:
        """One folder per finished round."""
        return self.path / "rounds"

    def round(self, index: int) -> Path:
        """Folder of a round."""
        return self.rounds / f"{index:04d}"

    def read_rounds(self) -> tuple[Round, ...]:
        """Return the finished rounds, in order.

        Raises
        ------
        FidselError
            where a round is missing from the row or its record cannot be read.
        """
        found = sorted(p for p in self.rounds.glob("[0-9]*") if (p / "round.json").exists())
        rounds = tuple(Round.from_json((p / "round.json").read_text()) for p in found)
        for expected, (path, record) in enumerate(zip(found, rounds, strict=True)):
            if path != self.round(expected) or record.index != expected:
                raise FidselError(
                    f"rounds must be numbered without gaps, found {path.name} where {expected:04d} "
                    f"must be: put the missing folder back, or move the later ones away to redo them"
                )
        return rounds

    def scratch(self, index: int) -> Path:
        """Return an empty folder in which a round is prepared before `publish` puts it in place."""
        folder = self.rounds / f".{index:04d}.part"
        try:
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
        except OSError as error:
            raise FidselError(f"cannot write to {self.rounds}: {error.strerror or error}") from error
        return folder

    def publish(self, record: Round, scratch: Path) -> Path:
        """Write the record and the picks, then rename the folder into place."""
        write_text(scratch / "picks.csv", picks_table(record))
        write_text(scratch / "round.json", record.to_json())
        target = self.round(record.index)
        try:
            scratch.rename(target)
        except OSError as error:
            raise FidselError(f"cannot put {target} in place: {error.strerror or error}") from error
        return target


def picks_table(record: Round) -> str:
    """Return the picks of a round as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(PICK_COLUMNS)
    writer.writerows([getattr(pick, name) for name in PICK_COLUMNS] for pick in record.picks)
    return out.getvalue()
