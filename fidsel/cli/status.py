"""`fidsel status`: where a campaign stands."""

from pathlib import Path

from fidsel.cli.iterate import summary
from fidsel.cli.output import AsJson, Folder, Overrides


def status(folder: Folder = Path(), settings: Overrides = None, as_json: AsJson = False) -> None:
    """Show rounds, errors, labels and money of a campaign, also while another process drives it."""
    summary(folder, settings or (), as_json)
