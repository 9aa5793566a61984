"""`fidsel config`: look at, check and explain fidsel.toml."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import Overrides, document

app = typer.Typer(help="Check or explain fidsel.toml.", no_args_is_help=True, rich_markup_mode=None)
File = Annotated[Path, typer.Option("--file", "-f", help="The configuration file.")]


@app.command()
def validate(file: File = Path("fidsel.toml"), settings: Overrides = None) -> None:
    """Check the file without running anything and print it with every default filled in."""
    from fidsel.config.load import load_config

    document(load_config(file, settings or ()).model_dump(mode="json"))


@app.command()
def schema() -> None:
    """Print the JSON schema of fidsel.toml, every field documented."""
    from fidsel.config.schema import Config

    document(Config.model_json_schema())


@app.command()
def template() -> None:
    """Print a commented fidsel.toml to start from."""
    from fidsel.config.template import template_text

    typer.echo(template_text(smiles="CO"), nl=False)
