"""The command line: one small file per command, each parses, builds, calls the library and prints."""

from fidsel.cli.app import main

__all__ = ["main"]
