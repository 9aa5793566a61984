"""`fidsel train`: a force field from files of labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, Seed, Settings, document, note, progress
from fidsel.cli.tables import trained_line

Cheap = Annotated[list[str] | None, typer.Option(help="Cheap labels, one file per level, cheapest first.")]
File = Annotated[str, typer.Argument(help="Accurate labels: FILE or FILE:ENERGY_KEY:FORCES_KEY.")]


def train(
    accurate: File,
    settings: Settings = None,
    out: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("model"),
    cheap: Cheap = None,
    validation: Annotated[str | None, typer.Option(help="Accurate labels to validate on.")] = None,
    model: Annotated[
        str,
        typer.Option(
            help="sgdml, painn, gemnet, mace ... or ensemble (of painn; else model.member.kind=KIND)."
        ),
    ] = "sgdml",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="standard, cokriging, asteroid, asteroid-unlabelled, joint or delta; "
            "by default standard or, with --cheap, joint for networks, asteroid for mace, else cokriging."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that --out holds.")] = False,
    units: Annotated[str | None, typer.Option(help="energy,length of npz files.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Train a force field on files; a fifth of the accurate labels validates unless --validation is given."""
    from fidsel.config.train_files import LabelFile, train_files

    files = [LabelFile(path, units) for path in cheap or ()]
    held = LabelFile(validation, units) if validation else None
    with progress() as report:
        report("training", 0, 1)
        labels, changes = LabelFile(accurate, units), settings or ()
        found = train_files(labels, files, held, model, recipe, changes, seed, out, force=force)
    document(found) if as_json else note(trained_line(found))
