"""The `fidsel` program: its commands, and how errors become messages and exit codes."""

import sys
from importlib.metadata import version

import typer

from fidsel.cli import check, config, demo, doctor, init, iterate, plan, sample, status, train, ui
from fidsel.errors import FidselError

app = typer.Typer(
    name="fidsel",
    help="Spend a label budget well when building machine-learning force fields.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(init.init)
app.add_typer(config.app, name="config")
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("sample")(sample.sample)
app.command("plan")(plan.plan)
app.command("iterate")(iterate.iterate)
app.command("status")(status.status)
app.command("train")(train.train)
app.command("ui")(ui.ui)
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fidsel {version('fidsel')}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Spend a label budget well when building machine-learning force fields."""


def main() -> None:
    """Run the program; errors a person can do something about end without a traceback."""
    try:
        app()
    except FidselError as error:
        sys.stderr.write(f"fidsel: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write(
            "fidsel: stopped; everything finished is stored, the same command goes on from here\n"
        )
        sys.exit(130)
