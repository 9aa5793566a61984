"""The figures of a report, each drawn once per unit a reader may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fidsel.data.atomic import make_folder
from fidsel.report.content import UNITS
from fidsel.report.markup import Html, tag
from fidsel.report.pictures.plot import cluster_error_figure, learning_curve_figure, save_figure, svg
from fidsel.report.pictures.torsions import torsion_figure
from fidsel.report.sentences import in_unit
from fidsel.selector.cluster_error import ClusterErrors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fidsel.report.document import Report


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure and what it shows.

    Parameters
    ----------
    alt : what a person who cannot see it needs to know.
    """

    name: str
    caption: str
    alt: str
    figures: "Mapping[str, Figure]"


def drawings(report: "Report") -> tuple[Drawing, ...]:
    """Return the figures there is something to draw in."""
    found = [] if report.errors is None else _bars(report, report.errors)
    if report.curves:
        found.append(_curves(report))
    return (*found, *_torsions(report))


def _bars(report: "Report", now: ClusterErrors) -> list[Drawing]:
    """Return the cluster errors and, before them where there are any, those of before and now together."""
    units, before, (old, new) = UNITS[report.unit], report.before, report.names
    bars = Drawing(
        "cluster_errors",
        "Error of each cluster, from the lowest to the highest. The line is the error over all frames, the "
        "steps are frames per cluster; a cross marks an unknown error.",
        f"Bars of {_range(now, units[0])}",
        {unit: cluster_error_figure(now, unit=unit) for unit in units},
    )
    if before is None:
        return [bars]
    both = Drawing(
        "before_after",
        f"Error of each cluster at {old} and, in front, at {new}, in the order of {old}. Lines are errors "
        "over all frames, the steps are frames per cluster.",
        f"Bars at {old} of {_range(before, units[0])}; at {new} of {_range(now, units[0])}",
        {u: cluster_error_figure(before, after=now, unit=u, names=report.names) for u in units},
    )
    return [both, bars]


def _curves(report: "Report") -> Drawing:
    def draw(unit: str) -> "Figure":
        return learning_curve_figure(
            report.curves, spend_label=report.spend, unit=unit, quantity=report.quantity
        )

    what = report.quantity[:1].upper() + report.quantity[1:]
    return Drawing(
        "learning_curve",
        f"{what} against what was spent.",
        f"Learning curves of {', '.join(curve.name for curve in report.curves)}",
        {unit: draw(unit) for unit in UNITS[report.unit]},
    )


def _torsions(report: "Report") -> list[Drawing]:
    """Return a drawing for each molecule that can be turned about a bond."""
    units = {unit: unit.removesuffix("/Å") for unit in UNITS[report.unit]}
    return [
        Drawing(
            f"torsions_{number}",
            f"{name}: energy along rotations about its bonds from the minimum of {report.source}, without "
            "relaxation.",
            f"Torsion scans of {name} about {', '.join(scan.title for scan in scans)}",
            {shown: torsion_figure(scans, report.source, unit) for shown, unit in units.items()},
        )
        for number, (name, scans) in enumerate(report.torsions.items())
        if scans
    ]


def figure_section(drawing: Drawing) -> Html:
    """Return a figure for the page, in all its units, of which the first is shown."""
    drawn = [
        svg(figure, f"{drawing.name}-{number}") for number, figure in enumerate(drawing.figures.values())
    ]
    variants = [
        tag(
            "div",
            Html(document[document.index("<svg") :]),  # without the head of a file
            class_="paper",
            role="img",
            aria_label=drawing.alt,
            data_unit=unit,
            hidden=number > 0,
        )
        for number, (unit, document) in enumerate(zip(drawing.figures, drawn, strict=True))
    ]
    return tag("figure", *variants, tag("figcaption", drawing.caption), id=drawing.name)


def save_drawing(drawing: Drawing, folder: Path) -> None:
    """Write a figure as PNG and as SVG, in the first of its units."""
    make_folder(folder)
    figure = next(iter(drawing.figures.values()))
    for ending in ("png", "svg"):
        save_figure(figure, folder / f"{drawing.name}.{ending}")


def _range(errors: ClusterErrors, unit: str) -> str:
    worst, overall = in_unit(errors.worst, unit), in_unit(errors.overall, unit)
    return f"{len(errors)} clusters; {worst} {unit} in the worst, {overall} {unit} over all frames"
