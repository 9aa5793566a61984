"""`fidsel report`: the report of a campaign's round, written anew."""

from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, Folder, Overrides, document, note, result


def report(
    folder: Folder = Path(),
    settings: Overrides = None,
    number: Annotated[
        int | None, typer.Option("--round", help="Which round; the last one if not told.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="HTML file to write; report.html in the round's folder if not told.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures as PNG and SVG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a round as one HTML file that opens offline; nothing is trained or labelled."""
    from fidsel.campaign.records.report import FILE, read_report
    from fidsel.config.build import open_finished
    from fidsel.report import as_text, findings, write_report

    campaign = open_finished(folder, settings or (), number, as_named=True)
    index, found = read_report(campaign, number)
    path = write_report(found, out or campaign.folder.round(index) / FILE, figures)
    words = [as_text(sentence, f"m{found.unit}") for sentence in findings(found)]
    if as_json:
        document(
            {
                "report": path,
                "round": index,
                "figures": figures,
                "facts": dict(found.facts),
                "findings": words,
            }
        )
    else:
        for paragraph in (*[f"{name}: {value}" for name, value in found.facts], *words):
            note(paragraph)
        result(f"{path}\n")
