"""`fidsel outliers`: where a model is wrong on a file of labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import Data, Device, FileOptions, Model, Seed, Trained, grouped, with_device
from fidsel.cli.output import AsJson, document, measured
from fidsel.cli.progress import progress
from fidsel.cli.tables.outliers import outlier_document, outlier_tables

Numbers = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings: clusters, energy_clusters, descriptor, device, and calculator.KEY of ase:NAME, e.g. "
        "clusters=20 calculator.method=GFN2-xTB; docs/settings.md lists them."
    ),
]


@grouped
def outliers(
    model: Model,
    data: Data,
    settings: Numbers = None,
    *,
    train: Trained = None,
    held_out: Annotated[str | None, typer.Option(help="Labels that are shown apart from the others.")] = None,
    files: FileOptions,
    shift: Annotated[
        bool, typer.Option("--shift", help="Also show errors against the distance from the training frames.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="PNG or SVG file of errors against that distance (with --shift).")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Frames listed.")] = 10,
    seed: Seed = 0,
    device: Device = None,
    out: Annotated[Path | None, typer.Option(help="npz file for the errors of all frames.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML file to write a report to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cluster labelled frames, find where a model is wrong, and say what is special about these frames."""
    from fidsel.config.load import check_config
    from fidsel.data.atomic import require_ending, require_writable
    from fidsel.data.label_file import paths_read, unheard
    from fidsel.refine.figure import error_shift_plot
    from fidsel.report import require_page, write_report
    from fidsel.report.pictures.plot import require_picture
    from fidsel.tasks import outliers as task

    labels = files.labels(data)
    known = files.frames(train) if train else None
    apart = files.labels(held_out) if held_out else None
    require_writable(out, report, picture, read=paths_read(labels, known, apart))
    require_ending(out, task.NPZ, ".npz")
    task.require_own(out)
    require_page(report)
    require_picture(picture)
    given = check_config(task.OutlierConfig, {}, with_device(settings, device, "device"), "the command line")
    with progress() as say:
        say("comparing", 0, 1)
        found = task.outliers(
            model,
            labels,
            train=known,
            held_out=apart,
            units=files.units,
            shift=shift or picture is not None,
            seed=seed,
            report=say,
            say=unheard,
            **dict(given),
        )
        if out is not None:
            found.save(out)
        if picture is not None and found.shift is not None:
            error_shift_plot(found.shift, picture)
        if report is not None:
            write_report(found.report(), report)
        say("comparing", 1, 1)
    document(measured(outlier_document(found, top))) if as_json else outlier_tables(found, top)
