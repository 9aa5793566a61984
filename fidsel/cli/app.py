"""The `fidsel` program: its commands, and how errors become messages and exit codes."""

import signal
import sys
from importlib.metadata import version
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from fidsel.cli import (
    check,
    config,
    demo,
    doctor,
    init,
    iterate,
    outliers,
    plan,
    report,
    sample,
    select,
    status,
    train,
    ui,
)
from fidsel.cli.output import note
from fidsel.errors import FidselError

STOPPED = 128
"""Exit code after a signal is this and its number, as shells have it: 130 after Ctrl-C."""


class Terminated(KeyboardInterrupt):
    """The program was asked to end by another signal than Ctrl-C: it stores, closes and tidies up as then.

    Parameters
    ----------
    number : the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Program(TyperGroup):
    """Commands whose errors a person can do something about end in one paragraph and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # Any: typer does not export its context's type in all versions
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except FidselError as error:
            note(f"fidsel: {error}")
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            note(f"fidsel: {error.filename or 'the system refuses'}: {error.strerror or error}")
            raise typer.Exit(FidselError.exit_code) from error
        except KeyboardInterrupt as error:
            note("fidsel: stopped; everything finished is stored, the same command goes on from here")
            raise typer.Exit(STOPPED + getattr(error, "number", signal.SIGINT)) from error
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            note(
                f"fidsel: {str(error).partition(' GPU ')[0]} Free memory of that device, take a smaller "
                'batch or model, or device = "cpu" in [model] (selection: an empty CUDA_VISIBLE_DEVICES); '
                "what a campaign finished is stored"
            )
            raise typer.Exit(FidselError.exit_code) from error


def _out_of_memory(error: RuntimeError) -> bool:
    """Return whether a CUDA device has no memory left, which only PyTorch says, where it is in use."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.cuda.OutOfMemoryError)


app = typer.Typer(
    name="fidsel",
    cls=Program,
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
app.command("report")(report.report)
app.command("train")(train.train)
app.command("select")(select.select)
app.command("outliers")(outliers.outliers)
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
    """Spend a label budget well when building machine-learning force fields.

    Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 5 labels are needed to go on (select), 130
    stopped by Ctrl-C, 143 by SIGTERM.
    """


def stop_on_signals() -> None:
    """Have SIGTERM (a scheduler, `docker stop`, a service manager) and SIGHUP end the program like Ctrl-C.

    The first one counts: what ends the program must itself come to its end. Signals that whoever started the
    program has chosen to ignore, as `nohup` does, stay ignored.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        for known in signals:
            signal.signal(known, signal.SIG_IGN)
        raise Terminated(number)

    if current_thread() is not main_thread():
        return  # Python lets no other thread receive signals
    named = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    signals = [known for known in named if known is not None and signal.getsignal(known) == signal.SIG_DFL]
    for known in signals:
        signal.signal(known, stop)


def main() -> None:
    """Run the program."""
    stop_on_signals()
    app(prog_name="fidsel")
