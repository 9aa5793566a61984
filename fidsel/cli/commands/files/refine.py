"""`fidsel refine`: a model adapted to systems unlike those it was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.commands.files.shift import Graphs, Network, Tests
from fidsel.cli.options import Device, FileOptions, Seed, grouped, with_device
from fidsel.cli.output import AsJson, document, measured
from fidsel.cli.progress import progress
from fidsel.cli.tables.refinement import refinement_tables

Given = Annotated[
    list[str] | None,
    typer.Argument(
        help="Settings: head, radius, device, steps, learning_rate ..., e.g. steps=200; "
        "docs/settings.md lists them."
    ),
]
Prior = Annotated[
    str | None,
    typer.Option(
        help="Cheap labels to adapt by: gfn2, gfn1, mmff94, a model's folder, an ASE calculator "
        "(ase:NAME) or package.module:Class. A head of the model must have learnt them, or is trained "
        "with --train."
    ),
]


@grouped
def refine(
    model: Network,
    tests: Tests,
    settings: Given = None,
    *,
    prior: Prior = None,
    train: Graphs = None,
    files: FileOptions,
    out: Annotated[Path, typer.Option(help="Folder of the refined model.")] = Path("refined"),
    force: Annotated[bool, typer.Option("--force", help="Replace a model that --out holds.")] = False,
    seed: Seed = 0,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Refine a network for new systems without accurate labels, by a cheap prior and by its cutoff."""
    from fidsel.config.load import check_config
    from fidsel.tasks import refine as task

    given = check_config(task.RefineConfig, {}, with_device(settings, device, "device"), "the command line")
    with progress() as say:
        found = task.refine_files(
            model,
            files.labels(tests),
            prior=prior,
            train=files.labels(train) if train else None,
            out=out,
            seed=seed,
            force=force,
            report=say,
            **given.means(),
        )
    if as_json:
        document(
            measured({"model": model, "out": out, "candidates": found.candidates(10), **found.to_dict()})
        )
    else:
        refinement_tables(found, out)
