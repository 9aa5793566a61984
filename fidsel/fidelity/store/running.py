"""What runs, in a file beside the store: for whoever looks, and to be charged where the driver dies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fidsel.data.atomic import write_text
from fidsel.fidelity.engine.task import Block
from fidsel.fidelity.label_values import plain_text


@dataclass(frozen=True)
class Running:
    """A label in progress.

    Parameters
    ----------
    seconds : core-seconds it has used so far, on the clock of its price.
    wall : s since it began.
    host : where it runs; "" = where the driver does.
    """

    seconds: float
    wall: float = 0.0
    host: str = ""


class RunningFile:
    """What labels in progress have used, on disk: a driver that dies leaves it to be charged.

    It lies beside the store and is written again every few seconds while labels run. It holds core-seconds
    and no times of day, so that neither a clock that is set nor a machine that sleeps or suspends its
    processes is charged for. What was used after the last writing is free.

    Parameters
    ----------
    store_path : the label store; the file is `<store_path>.running`.
    """

    def __init__(self, store_path: Path | str) -> None:
        self.path = Path(f"{store_path}.running")

    def write(self, labels: Mapping[int, Running], blocks: Sequence[Block] = ()) -> None:
        """Write what runs, labels by the ids of their attempts; remove the file where nothing does."""
        if not labels and not blocks:
            self.remove()
            return
        entries = {str(number): asdict(one) for number, one in labels.items()}
        text = json.dumps({"labels": entries, "blocks": [asdict(one) for one in blocks]})
        write_text(self.path, text)

    def remove(self) -> None:
        """Remove the file where there is one."""
        self.path.unlink(missing_ok=True)

    def read(self) -> dict[int, Running]:
        """Return the labels that were written last; nothing where there is no file or none of ours."""
        found = self._entries("labels", dict)
        ours = {number: _running(one) for number, one in found.items() if number.isdecimal()}
        return {int(number): one for number, one in ours.items() if one is not None}

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks that were written last."""
        found = self._entries("blocks", list)
        known = [one for one in found if isinstance(one, dict) and set(one) == {"job", "state"}]
        return tuple(Block(plain_text(str(one["job"])), plain_text(str(one["state"]))) for one in known)

    def _entries(self, name: str, kind: type[Any]) -> Any:  # Any: what a foreign file holds
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return kind()
        entries = found.get(name) if isinstance(found, dict) else None
        return entries if isinstance(entries, kind) else kind()


def _running(entry: object) -> Running | None:
    """Return an entry of the file; None where it is none of ours."""
    if not isinstance(entry, dict) or set(entry) != {"seconds", "wall", "host"}:
        return None
    times = [entry["seconds"], entry["wall"]]
    if not all(isinstance(time, int | float) and 0 <= time < float("inf") for time in times):
        return None
    return Running(float(times[0]), float(times[1]), plain_text(str(entry["host"])))
