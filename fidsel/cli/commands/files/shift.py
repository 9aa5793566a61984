"""`fidsel shift`: how far systems are from what a model was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import Device, FileOptions, grouped, with_device
from fidsel.cli.output import AsJson, document, measured, note
from fidsel.cli.tables.refinement import shift_table

Network = Annotated[str, typer.Argument(help="Folder of a model, a round or a campaign (its best round).")]
Tests = Annotated[str, typer.Argument(help="Frames of one or several systems, labelled or not: FILE,...")]
Graphs = Annotated[str | None, typer.Option(help="Training frames of the model: FILE,FILE ...")]
Given = Annotated[list[str] | None, typer.Argument(help="Settings: device.")]


@grouped
def shift(
    model: Network,
    tests: Tests,
    settings: Given = None,
    *,
    train: Graphs = None,
    files: FileOptions,
    device: Device = None,
    out: Annotated[Path | None, typer.Option(help="PNG or SVG file for the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare systems with those a model was trained on: composition, forces, connectivity, features."""
    from fidsel.config.load import check_config
    from fidsel.data.atomic import require_writable
    from fidsel.refine.figure import shift_plot
    from fidsel.report.pictures.plot import require_picture
    from fidsel.tasks import shift as task

    require_writable(out)
    require_picture(out)
    given = check_config(task.ShiftConfig, {}, with_device(settings, device, "device"), "the command line")
    trained = files.labels(train) if train else None
    found = task.shift_files(model, files.labels(tests), train=trained, **dict(given))
    if out is not None:
        shift_plot(found, out)
        note(f"picture in {out}")
    document(measured({"model": model, "tests": tests, **found.to_dict()})) if as_json else shift_table(found)
