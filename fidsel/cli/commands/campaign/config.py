"""`fidsel config`: look at, check and explain fidsel.toml."""

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.manual import commands_page
from fidsel.cli.output import AsJson, Folder, Overrides, document, note, result
from fidsel.cli.progress import progress
from fidsel.exceptions import UsageError

app = typer.Typer(help="Check or explain fidsel.toml.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def validate(
    folder: Folder = Path(),
    settings: Overrides = None,
    as_json: AsJson = False,  # noqa: ARG001 - what it prints is JSON without it too
) -> None:
    """Check fidsel.toml and all it names without running anything; print it with every default, as JSON."""
    from fidsel.config.build import build_campaign, plain
    from fidsel.config.load import FILE, load_config

    with progress():
        config = load_config(folder / FILE, settings or ())
        build_campaign(config, folder)
    document(plain(config))
    note(f"{folder / FILE} is valid")


@app.command()
def schema(
    context: typer.Context,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print tables of all settings, with examples, instead.")
    ] = False,
    editing: Annotated[
        bool, typer.Option("--editing", help="Print what an edit means for a campaign that has begun.")
    ] = False,
    commands: Annotated[
        bool, typer.Option("--commands", help="Print tables of all commands and their options.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the JSON schema of fidsel.toml, every field documented."""
    if markdown + editing + commands + as_json > 1:
        raise UsageError("one page is printed: give one of --markdown, --editing, --commands and --json")
    if commands:
        result(commands_page(context.find_root().command))
    elif editing:
        from fidsel.tasks.pages.editing import editing_page

        result(editing_page())
    elif markdown:
        from fidsel.tasks.pages.settings import settings_page

        result(settings_page())
    else:
        from fidsel.config.schema import Config

        document(Config.model_json_schema())


@app.command()
def template(as_json: AsJson = False) -> None:
    """Print a commented fidsel.toml to start from."""
    from fidsel.tasks.start.template import template_text

    text = template_text(smiles="CO")
    document(tomllib.loads(text)) if as_json else result(text)
