"""What a campaign ran with, settings of the command line included, as its rounds keep it."""

import json
from collections.abc import Sequence
from pathlib import Path

from fidsel.campaign.records.folder import CampaignFolder
from fidsel.config.load import check_config
from fidsel.config.schema import Config
from fidsel.exceptions import FidselError


def recorded(folder: Path, overrides: Sequence[str] = (), index: int | None = None) -> Config | None:
    """Return what a finished round of a campaign ran with; None where it is not finished.

    That is not always what fidsel.toml says now: `fidsel iterate recipe.kind=delta` runs with another recipe,
    and a file may be edited afterwards.

    Parameters
    ----------
    overrides : settings in place of those of the round, `section.key=value`.
    index : of the round; None = the last one.

    Raises
    ------
    UsageError
        where the record holds something the schema does not allow.
    FidselError
        where it cannot be read.
    """
    home = CampaignFolder(folder)
    path = home.round(home.finished() - 1 if index is None else index) / "config.json"
    if not (path.parent / "round.json").exists():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FidselError(f"{path} cannot be read: {error}. Put back a copy of the folder") from error
    return check_config(Config, values, overrides, str(path))
