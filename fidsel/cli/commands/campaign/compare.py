"""`fidsel compare`: campaigns at equal spend and at equal error."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, document, note, result, table


def compare(
    campaigns: Annotated[
        list[Path], typer.Argument(help="Campaign folders; seeds of one strategy are averaged.")
    ],
    spend: Annotated[
        float | None,
        typer.Option(help="Spend to compare errors at, in the unit of the first campaign's budget."),
    ] = None,
    error: Annotated[
        float | None, typer.Option(help="Error to compare spends at, meV/Å (meV without forces).")
    ] = None,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("comparison.html"),
    figures: Annotated[Path | None, typer.Option(help="Folder for the picture as PNG and SVG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare campaigns and their control arms: a table, and a page with their learning curves."""
    from fidsel.data.atomic import require_writable
    from fidsel.report import write_report
    from fidsel.tasks.compare import compare as compared

    require_writable(out)
    found = compared(campaigns, spend, error)
    path, rows = write_report(found.report(), out, figures), found.rows()
    if as_json:
        plain = [row | {name: asdict(row[name]) for name in ("error", "spend")} for row in rows]
        units = {"error": found.unit, "spend": found.budget.scale[1]}
        document(
            {"at": {"spend": found.spend, "error": found.error}, "units": units, "rows": plain, "page": path}
        )
        return
    levels = list(dict.fromkeys(name for row in rows for name in row["labels"]))
    unit = found.budget.scale[1]
    columns = ["strategy", "seeds", f"{found.unit} at {found.spend}", f"{unit} for {found.error}"]
    table(
        "campaigns compared",
        [*columns, *levels, "minutes"],
        [
            [
                row["strategy"],
                row["seeds"],
                str(row["error"]),
                str(row["spend"]),
                *(row["labels"].get(name) for name in levels),
                None if row["seconds"] != row["seconds"] else row["seconds"] / 60,
            ]
            for row in rows
        ],
    )
    for told in found.notes():
        note(told)
    result(f"{path}\n")
