"""`fidsel init`: a folder with a commented fidsel.toml."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import note


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new campaign.")] = Path(),
    smiles: Annotated[str | None, typer.Option(help="The molecule as SMILES, e.g. CCO.")] = None,
    structure: Annotated[Path | None, typer.Option(help="The molecule as a structure file.")] = None,
    pool: Annotated[Path | None, typer.Option(help="A file of candidate configurations.")] = None,
    charge: Annotated[int, typer.Option(help="Total charge, with --structure or --pool.")] = 0,
    units: Annotated[str | None, typer.Option(help="energy,length of --pool, if it does not say.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="What may be spent: 2core-h, or 50 labels; 20 to 60 core-min if not told."),
    ] = None,
) -> None:
    """Write a fidsel.toml for a molecule (or a file of configurations); an existing one is kept."""
    from fidsel.config.template import create

    path = create(
        folder, smiles=smiles, structure=structure, pool=pool, budget=budget, charge=charge, units=units
    )
    note(f"wrote {path}: read it, change what you like, then run `fidsel doctor -C {folder}`")
