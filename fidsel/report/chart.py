"""Charts as lists of marks, written as SVG in a millisecond or drawn as PNG.

A report has six, and matplotlib takes a tenth of a second to draw one, half a second to be imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np

from fidsel.arrays import FloatArray
from fidsel.data.atomic import replacing, write_text
from fidsel.exceptions import UsageError

INK, GRID = "#222222", "#e3e3e3"
FONT = "DejaVu Sans, Verdana, sans-serif"
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, eq=False)
class Shape:
    """A line, or an area where it is filled.

    Parameters
    ----------
    points : (k, 2) from left and from above, points.
    width : of the line, points; 0 = none.
    dash : lengths of strokes and gaps, points; () = a whole line.
    """

    points: Sequence[Sequence[float]] | FloatArray
    color: str = INK
    width: float = 0.8
    fill: str = "none"
    opacity: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Words:
    """A text with its baseline at a point, read from below to above where it is turned."""

    text: str
    x: float
    y: float
    size: float = 9.0
    anchor: Anchor = "start"
    color: str = INK
    turned: bool = False


@dataclass(frozen=True, eq=False)
class Chart:
    """Marks on a white ground, the later ones above; width and height in points."""

    width: float
    height: float
    marks: tuple[Shape | Words, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All texts."""
        return tuple(mark.text for mark in self.marks if isinstance(mark, Words))


def polygon(corners: int, radius: float, turn: float = 0.0) -> FloatArray:
    """Return the corners of a regular polygon around the origin, (corners, 2); the first is above, or turned.

    Parameters
    ----------
    turn : degrees, clockwise.
    """
    angle = 2 * np.pi * (np.arange(corners) / corners + turn / 360)
    return radius * np.stack([np.sin(angle), -np.cos(angle)], axis=1)


def write_chart(chart: Chart, path: Path | str) -> Path:
    """Write a chart as PNG or SVG, by the ending of the path; the same chart gives the same bytes."""
    path = Path(path)
    require_picture(path)
    if path.suffix == ".svg":
        write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{svg_of(chart)}\n')
    else:
        _write_png(chart, path)
    return path


def require_picture(path: Path | None) -> None:
    """Raise a `UsageError` for a path that is no picture's, before anything is computed for it."""
    if path is not None and path.suffix not in (".png", ".svg"):
        raise UsageError(f"a picture is written as .png or .svg, got {path}")


def svg_of(chart: Chart) -> str:
    """Return a chart as an SVG element."""
    wide, high = f"{chart.width:g}", f"{chart.height:g}"
    size = f'width="{wide}pt" height="{high}pt" viewBox="0 0 {wide} {high}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}">',
            f'<rect width="{wide}" height="{high}" fill="#ffffff"/>',
            *(_shape(mark) if isinstance(mark, Shape) else _words(mark) for mark in chart.marks),
            "</svg>",
        ]
    )


def _shape(mark: Shape) -> str:
    corners = "L".join(f"{x:.2f} {y:.2f}" for x, y in mark.points)
    line = f' stroke="{mark.color}" stroke-width="{mark.width:g}"' if mark.width else ""
    line += f' stroke-dasharray="{" ".join(f"{part:g}" for part in mark.dash)}"' if mark.dash else ""
    faint = f' opacity="{mark.opacity:g}"' if mark.opacity < 1 else ""
    return f'<path d="M{corners}{"" if mark.fill == "none" else "Z"}" fill="{mark.fill}"{line}{faint}/>'


def _words(mark: Words) -> str:
    turned = f' transform="rotate(-90 {mark.x:.2f} {mark.y:.2f})"' if mark.turned else ""
    return (
        f'<text x="{mark.x:.2f}" y="{mark.y:.2f}" font-size="{mark.size:g}" text-anchor="{mark.anchor}" '
        f'fill="{mark.color}"{turned}>{escape(mark.text)}</text>'
    )


def _write_png(chart: Chart, path: Path) -> None:
    from matplotlib import style
    from matplotlib.figure import Figure
    from matplotlib.patches import Polygon
    from matplotlib.transforms import Affine2D

    sides = {"start": "left", "middle": "center", "end": "right"}
    with style.context("default"):
        figure = Figure(figsize=(chart.width / 72, chart.height / 72))
        # points from above, then inches from below, then pixels
        inches = Affine2D().scale(1 / 72, -1 / 72).translate(0, chart.height / 72)
        place = inches + figure.dpi_scale_trans
        for mark in chart.marks:
            if isinstance(mark, Words):
                figure.text(
                    mark.x, mark.y, mark.text, transform=place, fontsize=mark.size, color=mark.color,
                    ha=sides[mark.anchor], va="baseline", rotation=90 * mark.turned, rotation_mode="anchor",
                    parse_math=False,
                )  # fmt: skip
                continue
            filled = mark.fill != "none"
            area = Polygon(
                mark.points, closed=filled, fill=filled, facecolor=mark.fill, linewidth=mark.width,
                edgecolor=mark.color if mark.width else "none", alpha=mark.opacity, transform=place,
                linestyle=(0, mark.dash) if mark.dash else "-",
            )  # fmt: skip
            figure.add_artist(area)
        with replacing(path) as unfinished:
            figure.savefig(unfinished, format="png", dpi=200)
