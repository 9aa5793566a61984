"""`fidsel doctor`: whether everything a campaign needs works on this machine."""

from dataclasses import asdict
from pathlib import Path

import typer

from fidsel.cli.output import AsJson, Folder, Overrides, document, table


def doctor(folder: Folder = Path(), settings: Overrides = None, as_json: AsJson = False) -> None:
    """Label a small molecule with every source, try engine, disk, device and tracker."""
    from fidsel.tasks.doctor.examine import examine

    found = examine(folder, settings or ())
    if as_json:
        document([asdict(row) for row in found])
    else:
        table(
            "fidsel doctor",
            ("check", "result", "detail"),
            [(r.name, "ok" if r.ok else "FAILED", r.detail) for r in found],
            text=3,
        )
    if not all(row.ok for row in found):
        raise typer.Exit(1)
