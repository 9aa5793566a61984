"""What labels in progress have used so far, on disk: what a driver that dies leaves to be charged."""

import json
from collections.abc import Mapping
from pathlib import Path

from fidsel.data.atomic import write_text


class RunningFile:
    """A small file beside the store, written again every few seconds while labels run.

    It holds core-seconds and no times of day, so that neither a clock that is set nor a machine that
    sleeps or suspends its processes is charged for. What was used after the last writing is free.

    Parameters
    ----------
    store_path : the label store; the file is `<store_path>.running`.
    """

    def __init__(self, store_path: Path | str) -> None:
        self.path = Path(f"{store_path}.running")

    def write(self, usage: Mapping[int, float]) -> None:
        """Write the core-seconds of each attempt, by id; remove the file where nothing runs."""
        if usage:
            write_text(self.path, json.dumps({str(number): seconds for number, seconds in usage.items()}))
        else:
            self.remove()

    def remove(self) -> None:
        """Remove the file where there is one."""
        self.path.unlink(missing_ok=True)

    def read(self) -> dict[int, float]:
        """Return what was written last; nothing where there is no file or none of ours."""
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(entries, dict):
            return {}
        return {
            int(number): float(seconds)
            for number, seconds in entries.items()
            if number.isdecimal() and isinstance(seconds, int | float) and 0 <= seconds < float("inf")
        }
