"""Files beside a refined model that say what was done, and go when another model takes its place."""

import json
from pathlib import Path
from typing import Final

RECORD: Final = "refinement.json"
"""What was done, beside the model."""
PICTURE: Final = "radius.svg"
"""How the cutoffs were chosen, beside the model; written where one was looked at."""


def discard_record(folder: Path) -> None:
    """Remove what a refinement wrote beside the former model of a folder; files of anybody else stay."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or another program's
        return
    if not isinstance(found, dict) or not {"systems", "summary", "adaptation", "candidates"} <= found.keys():
        return
    if any(system.get("radius") for system in found["systems"]):
        (folder / PICTURE).unlink(missing_ok=True)
    (folder / RECORD).unlink()
