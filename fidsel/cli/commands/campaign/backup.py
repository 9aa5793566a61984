"""`fidsel backup`: a copy of a campaign to go on from."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, document, note


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder of the campaign.")],
    target: Annotated[Path, typer.Argument(help="Folder of the copy; it must not exist.")],
    as_json: AsJson = False,
) -> None:
    """Copy a campaign whole, also while another process drives it; the copy can be gone on with."""
    from fidsel.campaign.backup import back_up, outside

    labels, left = back_up(folder, target), outside(folder)
    if as_json:
        document({"folder": target, "labels": labels, "outside": left})
    note(
        f"{target} holds the campaign with {labels} labels; `fidsel iterate -C {quote(str(target))}` goes on "
        "from there"
    )
    for path in left:
        note(
            f"{path} in fidsel.toml lies outside {folder} and was not copied: it is read from beside {target}"
        )
