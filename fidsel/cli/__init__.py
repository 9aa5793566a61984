"""The command line: one small file per command, each parses, builds, calls the library and prints."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program, see `fidsel.cli.app.main`; Ctrl-C while it is loaded ends it without a traceback."""
    try:
        from fidsel.cli.app import main as run
    except KeyboardInterrupt as stopped:
        from fidsel.cli.signals import exit_code

        sys.exit(exit_code(stopped))
    run()
