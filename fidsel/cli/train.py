"""`fidsel train`: a force field from files of labels."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, document, note

Files = Annotated[list[Path] | None, typer.Option(help="Cheap labels, one file per level, cheapest first.")]


def train(
    accurate: Annotated[Path, typer.Argument(help="Accurate labels (extxyz, or npz with --units).")],
    out: Annotated[Path, typer.Option(help="Folder of the trained model.")],
    cheap: Files = None,
    validation: Annotated[Path | None, typer.Option(help="Accurate labels to validate on.")] = None,
    model: Annotated[str, typer.Option(help="sgdml or painn.")] = "sgdml",
    recipe: Annotated[str | None, typer.Option(help="standard, cokriging or asteroid.")] = None,
    units: Annotated[str | None, typer.Option(help="energy,length of npz files.")] = None,
    seed: Annotated[int, typer.Option(help="Decides every draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a force field on files of labels; without --validation a fifth of the accurate ones is held out."""
    from fidsel.config.train_files import train_files

    found = train_files(accurate, cheap or (), validation, model, recipe, units, seed, out)
    if as_json:
        document(found)
    else:
        note(f"{found['recipe']} on {found['train']} accurate labels: {found['summary']}; model in {out}")
