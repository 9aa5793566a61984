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
    budget: Annotated[str, typer.Option(help="What may be spent, e.g. 2core-h.")] = "1core-h",
) -> None:
    """Write a fidsel.toml for a molecule (or a file of configurations); an existing one is kept."""
    from fidsel.config.template import create

    path = create(folder, smiles=smiles, structure=structure, pool=pool, budget=budget)
    note(f"wrote {path}: read it, change what you like, then run `fidsel doctor -C {folder}`")
