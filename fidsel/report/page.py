"""The page of a report: one HTML file that needs nothing from anywhere else."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from fidsel.data.atomic import require_ending, write_text
from fidsel.report.content import UNITS
from fidsel.report.figures import Drawing, drawings, figure_section, save_drawing
from fidsel.report.markup import Html, tag
from fidsel.report.molecules import molecule_table
from fidsel.report.sentences import Quantity, Sentence, findings
from fidsel.report.structures import structures_json, viewer_licences, viewer_script
from fidsel.report.tables import cluster_table, error_text, pick_table, unit_name

if TYPE_CHECKING:
    from fidsel.report.document import Report

LONG = 10
"""Picks that are listed without being asked for."""


def write_report(report: "Report", path: Path | str, figures: Path | str | None = None) -> Path:
    """Write a report as one HTML file, all or nothing, and return its path.

    It opens without a network: styles, figures, structures and the program that draws them are inside.
    The same report gives the same bytes.

    Parameters
    ----------
    figures : folder that gets every figure as PNG and SVG; None = none are written.

    Raises
    ------
    UsageError
        where the path does not end as that of a page.
    FidselError
        where the system refuses, or chemiscope is not installed and there are structures to draw.
    """
    require_page(path)
    drawn = drawings(report)
    if figures is not None:
        for drawing in drawn:
            save_drawing(drawing, Path(figures))
    write_text(path, page(report, drawn))
    return Path(path)


def require_page(path: Path | str | None) -> None:
    """Raise a `UsageError` for a path that is no page's, before anything is computed; None = no page."""
    require_ending(path, "a report", ".html", ".htm")


def page(report: "Report", drawn: tuple[Drawing, ...] | None = None) -> Html:
    """Return the page itself; `drawn` are its figures where they are drawn already."""
    drawn = drawings(report) if drawn is None else drawn
    clusters = report.clusters.rows if report.clusters else ()
    shown = any(row.representative or row.worst for row in clusters)
    first = [drawing for drawing in drawn if drawing.name != "cluster_errors" or report.before is None]
    sections = [
        _header(report),
        _findings(report),
        tag("section", *[figure_section(drawing) for drawing in first], id="figures"),
        _molecules(report),
        _structures() if shown else Html(""),
        _clusters(report, [drawing for drawing in drawn if drawing not in first]),
        _picks(report),
        _notes(report),
        tag("footer", f"Written by fidsel {version('fidsel')}", ", structures by chemiscope." * shown),
    ]  # fmt: skip
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", report.title), tag("style", Html(_asset("page.css"))),
    )  # fmt: skip
    body = tag("body", *sections, *_scripts(report, shown))
    return Html(f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n")


def _asset(name: str) -> str:
    return files("fidsel.report").joinpath(name).read_text(encoding="utf-8")


def _header(report: "Report") -> Html:
    units = [
        tag("button", name, type="button", aria_pressed="false" if number else "true")
        for number, name in enumerate(UNITS[report.unit])
    ]
    facts = [part for name, value in report.facts for part in (tag("dt", name), tag("dd", value))]
    return tag(
        "header", tag("h1", report.title), tag("p", report.date, class_="date") if report.date else Html(""),
        tag("div", "errors in ", *units, role="group", aria_label="unit of errors", id="units"),
        tag("dl", *facts) if facts else Html(""),
    )  # fmt: skip


def _words(sentence: Sentence, unit: str) -> list[str]:
    """Return a sentence for the page, its errors in the unit that the reader chose."""
    return [
        tag("span", error_text(part.value, unit), " ", unit_name(unit), class_="quantity")
        if isinstance(part, Quantity)
        else part
        for part in sentence
    ]


def _findings(report: "Report") -> Html:
    told = [tag("p", *_words(one, report.unit)) for one in findings(report)]
    return tag("section", *told, id="findings") if told else Html("")


def _structures() -> Html:
    panels = [
        tag(
            "figure",
            tag("h3", name),
            tag("div", class_="canvas", id=f"view-{role}", role="img", aria_label=f"{name} in 3D"),
            tag("figcaption", id=f"told-{role}", aria_live="polite"),
        )
        for role, name in (("representative", "representative frame"), ("worst", "worst frame"))
    ]
    hint = "Drag to turn, wheel to zoom. Bars mark the distances that tell the cluster from the others."
    title = tag("h2", "Structures of cluster ", tag("span", id="shown"))
    return tag("section", title, tag("p", hint), tag("div", *panels, class_="views"), id="structures")


def _molecules(report: "Report") -> Html:
    if not report.molecules:
        return Html("")
    table = tag("div", molecule_table(report.molecules, report.unit), class_="wide")
    return tag("section", tag("h2", "Molecules"), table)


def _clusters(report: "Report", drawn: Sequence[Drawing]) -> Html:
    if report.clusters is None and report.errors is None:
        return Html("")
    table = tag("div", cluster_table(report), class_="wide")
    return tag("section", tag("h2", "Clusters"), *[figure_section(drawing) for drawing in drawn], table)


def _picks(report: "Report") -> Html:
    if not report.picks:
        return Html("")
    rows = tag("div", pick_table(report.picks, report.unit), class_="wide")
    if len(report.picks) > LONG:
        rows = tag("details", tag("summary", f"all {len(report.picks)} picks in order"), rows)
    return tag("section", tag("h2", "Picks"), rows)


def _notes(report: "Report") -> Html:
    notes = (*report.notes, *(report.clusters.notes if report.clusters else ()))
    if not notes:
        return Html("")
    return tag("section", tag("h2", "Notes"), tag("ul", *[tag("li", note) for note in notes]), id="notes")


def _scripts(report: "Report", shown: bool) -> list[Html]:
    scripts = [tag("script", Html(_asset("page.js")))]
    if report.clusters and shown:
        data = Html(structures_json(report.clusters, report.unit))
        scripts = [
            tag("script", data, type="application/json", id="frames"),
            tag("script", Html(viewer_licences().replace("</", "<\\/")), type="text/plain", id="licences"),
            tag("script", Html(viewer_script())),
            *scripts,
        ]
    return scripts
