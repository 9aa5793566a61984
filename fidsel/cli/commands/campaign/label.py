"""`fidsel label`: labels that other people compute."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.options import BreakLock
from fidsel.cli.output import AsJson, Folder, document, note

MOST = 20
"""Results that are not taken and shown one by one."""

app = typer.Typer(help="Labels that other people compute.", no_args_is_help=True, rich_markup_mode=None)


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="Folder for the jobs.")],
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a folder with inputs for each label that the campaign awaits; twice writes the same again."""
    from fidsel.campaign.inbox import export_labels
    from fidsel.config.build import open_campaign

    written = export_labels(open_campaign(folder, as_named=True), out)
    if as_json:
        document({level: asdict(one) for level, one in written.items()})
        return
    for level, one in written.items():
        typer.echo(f"{level}: {one.jobs} jobs in {one.folder}")
    if not written:
        note("no label is awaited: `fidsel iterate` asks for them")


@app.command("import")
def bring(
    paths: Annotated[list[Path], typer.Argument(help="Outputs, extxyz files, or folders of them.")],
    folder: Folder = Path(),
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Read results, and store and pay those labels that the campaign awaits; the others are named."""
    from fidsel.campaign.inbox import import_labels
    from fidsel.config.build import open_campaign

    found = import_labels(open_campaign(folder, as_named=True), paths, break_lock)
    if as_json:
        document(asdict(found))
    else:
        stored, left = (
            ", ".join(f"{count} of {name}" for name, count in counts.items()) or "none"
            for counts in (found.stored, found.awaited)
        )
        typer.echo(f"labels stored: {stored}; known before: {found.known}; awaited still: {left}")
    for text in found.refused[:MOST]:
        note(f"not taken: {text}")
    if len(found.refused) > MOST:
        note(f"not taken: {len(found.refused) - MOST} more; --json lists all")
    if found.refused:
        raise typer.Exit(1)


@app.command("withdraw")
def withdraw(
    frames: Annotated[
        list[str] | None,
        typer.Argument(help="Frames, by the beginning of their ids, as their jobs are named."),
    ] = None,
    folder: Folder = Path(),
    everything: Annotated[bool, typer.Option("--all", help="All labels that are awaited.")] = False,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Await labels no longer: their money is free again, and the campaign goes on without these frames."""
    from fidsel.campaign.inbox import withdraw_labels
    from fidsel.config.build import open_campaign
    from fidsel.exceptions import UsageError

    if bool(frames) == everything:
        raise UsageError("name frames whose labels to withdraw, or give --all, and not both")
    count = withdraw_labels(open_campaign(folder, as_named=True), frames or None, break_lock)
    if as_json:
        document({"withdrawn": count})
    else:
        typer.echo(f"{count} labels are awaited no longer; `fidsel retry` has them asked for again")
