"""`fidsel train`: a force field from files of labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import Baseline, Device, Seed, TrainingFiles, grouped, with_device
from fidsel.cli.output import AsJson, Settings, document, measured, note
from fidsel.cli.progress import progress
from fidsel.cli.tables.training import training_notes

Cheap = Annotated[
    list[str] | None, typer.Option(help="Cheap labels, once per level, cheapest first: FILE,FILE ...")
]
File = Annotated[
    str,
    typer.Argument(
        help="Accurate labels: FILE or FILE:ENERGY_KEY:FORCES_KEY; several molecules FILE,FILE ..."
    ),
]


@grouped
def train(
    accurate: File,
    settings: Settings = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("model"),
    cheap: Cheap = None,
    validation: Annotated[str | None, typer.Option(help="Accurate labels to validate on.")] = None,
    model: Annotated[
        str,
        typer.Option(
            help="sgdml, painn, gemnet, mace ..., ensemble (of painn as it is; for another or its settings "
            "model.member.kind=KIND) or average (of sgdml and painn)."
        ),
    ] = "sgdml",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="standard, cokriging, asteroid, asteroid-unlabelled, joint, delta, ttt-pretrain or "
            "ttt-joint; "
            "by default standard or, with --cheap, joint for networks, asteroid for mace, else cokriging."
        ),
    ] = None,
    baseline: Baseline = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of each stage of a network; by default until its validation loss settles."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Bound on the time that a network trains, shared by its stages.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that --out holds.")] = False,
    files: TrainingFiles,
    seed: Seed = 0,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Train a force field on files; a fifth of the accurate labels validates unless --validation is given."""
    from fidsel.tasks.train import train_files

    with progress() as report:
        found = train_files(
            files.labels(accurate),
            [files.labels(path) for path in cheap or ()],
            files.labels(validation) if validation else None,
            model,
            recipe,
            with_device(settings, device),
            seed,
            out,
            baseline=baseline,
            steps=steps,
            minutes=minutes,
            force=force,
            report=report,
            say=note,
        ).to_dict()
    document(measured(found)) if as_json else training_notes(found)
