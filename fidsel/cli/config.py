"""`fidsel config`: look at, check and explain fidsel.toml."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import Folder, Overrides, document, note, progress, result

app = typer.Typer(help="Check or explain fidsel.toml.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def validate(folder: Folder = Path(), settings: Overrides = None) -> None:
    """Check fidsel.toml and all it names without running anything; print it with every default."""
    from fidsel.config.build import build_campaign, plain
    from fidsel.config.load import FILE, load_config

    with progress():
        config = load_config(folder / FILE, settings or ())
        build_campaign(config, folder)
    document(plain(config))
    note(f"{folder / FILE} is valid")


@app.command()
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print tables of all settings, with examples, instead.")
    ] = False,
) -> None:
    """Print the JSON schema of fidsel.toml, every field documented."""
    if markdown:
        from fidsel.config.settings_page import settings_page

        result(settings_page())
    else:
        from fidsel.config.schema import Config

        document(Config.model_json_schema())


@app.command()
def template() -> None:
    """Print a commented fidsel.toml to start from."""
    from fidsel.config.template import template_text

    result(template_text(smiles="CO"))
