"""`fidsel evaluate`: the errors of a model on a file of labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import Data, Device, FileOptions, Model, Trained, grouped, with_device
from fidsel.cli.output import AsJson, document, measured, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.evaluation import evaluation_tables

Given = Annotated[
    list[str] | None,
    typer.Argument(help="Settings: device, and calculator.KEY of ase:NAME, e.g. calculator.method=GFN2-xTB."),
]


@grouped
def evaluate(
    model: Model,
    data: Data,
    settings: Given = None,
    *,
    train: Trained = None,
    files: FileOptions,
    top: Annotated[int, typer.Option(min=1, help="Molecules listed.")] = 20,
    device: Device = None,
    out: Annotated[Path | None, typer.Option(help="PNG or SVG file for the parity picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a model with labels: MAE and RMSE of forces and energies, by element and by molecule."""
    from fidsel.config.load import check_config
    from fidsel.data.atomic import require_writable
    from fidsel.data.label_file import unheard
    from fidsel.report.pictures.parity import parity_plot
    from fidsel.report.pictures.plot import require_picture
    from fidsel.tasks import evaluate as task

    require_writable(out)
    require_picture(out)
    labels, held = files.labels(data), files.frames(train) if train else None
    given = check_config(task.EvaluateConfig, {}, with_device(settings, device, "device"), "the command line")
    with progress() as say:
        found = task.evaluate(
            model, labels, train=held, units=files.units, report=say, say=unheard, **dict(given)
        )
        if out is not None:
            parity_plot(found.evaluation, out, title=f"{model} on {data}")
    if as_json:
        document(measured({"model": model, "data": data, "picture": out, **found.to_dict()}))
    else:
        evaluation_tables(found, top)
        for text in (*found.notes, *([f"parity picture in {out}"] if out else ())):
            note(text)
