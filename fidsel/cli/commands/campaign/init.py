"""`fidsel init`: a folder with a commented fidsel.toml."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from fidsel.cli.options import Also, one_folder
from fidsel.cli.output import AsJson, document, note


def init(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of the new campaign, by default this one.")
    ] = None,
    smiles: Annotated[
        list[str] | None, typer.Option(help="The molecule as SMILES, e.g. CCO; of several once for each.")
    ] = None,
    molecules: Annotated[
        Path | None, typer.Option(help="A CSV file of molecules (columns name, smiles), or an SDF file.")
    ] = None,
    structure: Annotated[Path | None, typer.Option(help="The molecule as a structure file.")] = None,
    pool: Annotated[Path | None, typer.Option(help="A file of candidate configurations.")] = None,
    charge: Annotated[
        int | None, typer.Option(help="Total charge, if --structure or --pool does not say.")
    ] = None,
    spin: Annotated[int | None, typer.Option(help="Unpaired electrons (2S), likewise.")] = None,
    units: Annotated[str | None, typer.Option(help="energy,length of --pool, if it does not say.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="What may be spent: 2core-h, or 50 labels; 20 to 60 core-min if not told."),
    ] = None,
    also: Also = None,
    as_json: AsJson = False,
) -> None:
    """Write a fidsel.toml for molecules (or a file of configurations); an existing one is kept."""
    from fidsel.tasks.start.template import create

    home = one_folder(folder, also, Path())
    path = create(
        home,
        smiles=smiles or None,
        molecules=molecules,
        structure=structure,
        pool=pool,
        budget=budget,
        charge=charge,
        spin=spin,
        units=units,
    )
    if as_json:
        document({"config": path, "folder": home})
    note(f"wrote {path}: read it, change what you like, then run `fidsel doctor -C {quote(str(home))}`")
