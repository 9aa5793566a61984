"""The `fidsel` program: its commands, and how each ends."""

import os
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import typer
from typer.core import TyperGroup

from fidsel.cli.amounts import AmountCommand
from fidsel.cli.commands.campaign import (
    backup,
    compare,
    config,
    demo,
    doctor,
    failures,
    init,
    iterate,
    label,
    plan,
    report,
    sample,
    status,
    stop,
    ui,
)
from fidsel.cli.commands.files import check, evaluate, md, outliers, refine, select, shift, train
from fidsel.cli.ending import told
from fidsel.cli.output import note, result, show_log
from fidsel.cli.signals import stop_on_signals
from fidsel.cli.streams import BROKEN_PIPE, flush_streams, is_broken, open_streams


class Program(TyperGroup):
    """Commands whose errors end in one paragraph and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # Any: typer does not export its context's type in all versions
        """Run the command that was asked for."""
        show_log()
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:  # the last resort, see `told`
            if _is_of_typer(error):
                raise
            raise typer.Exit(_end(error)) from error


def _is_of_typer(error: BaseException) -> bool:
    """Return whether an error is one that Typer ends a command with itself; its classes vary by version."""
    return type(error).__module__.partition(".")[0] in {"typer", "click"}


def _end(error: BaseException) -> int:
    """Tell of an error and return the exit code."""
    if isinstance(error, BrokenPipeError) and is_broken():
        return BROKEN_PIPE
    text, code = told(error)
    with suppress(OSError):  # nobody listens any more
        note(f"fidsel: {text}")
    return code


app = typer.Typer(
    name="fidsel",
    cls=Program,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init", cls=AmountCommand)(init.init)
app.add_typer(config.app, name="config")
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("sample")(sample.sample)
app.command("plan", cls=AmountCommand)(plan.plan)
app.command("iterate")(iterate.iterate)
app.command("status")(status.status)
app.command("stop")(stop.stop)
app.command("retry")(failures.retry)
app.command("release")(failures.release)
app.command("reject")(failures.reject)
app.add_typer(label.app, name="label")
app.command("report")(report.report)
app.command("backup")(backup.backup)
app.command("train")(train.train)
app.command("select")(select.select)
app.command("evaluate")(evaluate.evaluate)
app.command("outliers")(outliers.outliers)
app.command("shift")(shift.shift)
app.command("refine")(refine.refine)
app.command("md")(md.md)
app.command("ui")(ui.ui)
app.command("compare")(compare.compare)
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        result(f"fidsel {version('fidsel')}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Spend a label budget well when building machine-learning force fields.

    Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 5 labels are needed to go on that people have
    to bring (iterate, select), 130 stopped by Ctrl-C, 143 by SIGTERM.
    """


def main() -> None:
    """Run the program.

    Threads of numerical libraries that wait for each other let others work meanwhile: where another program
    holds a core, waiting at work makes small fits take many times as long. Read as torch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    open_streams()
    stop_on_signals()
    try:
        app(prog_name="fidsel")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # the last resort, see `told`
        code = _end(error)
    code, trouble = flush_streams(code)
    if trouble:
        note(f"fidsel: {trouble}")
    sys.exit(code)
