"""Charts of cluster errors and learning curves, and figures as PNG or SVG; no display and no global state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.units import kcal, mol

from fidsel.arrays import FloatArray
from fidsel.data.atomic import replacing
from fidsel.exceptions import UsageError
from fidsel.report.axes import Axes, Key, Scale
from fidsel.report.chart import Chart, Shape, Words, polygon, require_picture, write_chart
from fidsel.selector.cluster_error import ClusterErrors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORCE_UNITS = {"meV/Å": 1000.0, "eV/Å": 1.0, "kcal/mol/Å": mol / kcal}
"""What 1 eV/Å is in each unit a plot of force errors may use."""
ENERGY_UNITS = {"meV": 1000.0, "eV": 1.0, "kcal/mol": mol / kcal}
"""What 1 eV is in each unit a plot of energy errors may use."""

BLUE, CROWD = "#0072b2", "#d55e00"
COLORS = (BLUE, CROWD, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#000000")
"""Of curves, in order: eyes of every kind tell them apart (after Okabe and Ito)."""
WIDTH, HEIGHT = 432.0, 245.0
"""Of a chart, points."""
_BARS_AT, _CURVES_AT = (50.0, 37.0, 384.0, 205.0), (50.0, 22.0, 424.0, 205.0)
_MARKERS = (polygon(20, 2.8), polygon(4, 3.5, 45), polygon(4, 3.5), polygon(3, 3.5), polygon(5, 3.3))
LABELLED = 30
"""Clusters that are all labelled; of more, only the worst dozen."""


@dataclass(frozen=True)
class LearningCurve:
    """One arm of a learning-curve plot.

    Parameters
    ----------
    name : in the legend, e.g. "campaign".
    spend : (k,) what had been spent at each point.
    error : (k,) eV/Å, on a held-out set.
    standard_error : (k,) eV/Å of the mean over seeds; empty = not known.
    extrapolated : drawn dashed, as not measured.
    low, high : (k,) eV/Å, ends of the band that the error lies in; empty = not known.
    """

    name: str
    spend: Sequence[float]
    error: Sequence[float]
    standard_error: Sequence[float] = ()
    extrapolated: bool = False
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or len(self.low) not in (0, len(self.error)):
            raise UsageError(
                f"the band of curve {self.name!r} needs as many low ({len(self.low)}) and high ends "
                f"({len(self.high)}) as errors ({len(self.error)}), or none"
            )
        if len(self.spend) != len(self.error) or len(self.standard_error) not in (0, len(self.error)):
            raise UsageError(
                f"curve {self.name!r} needs as many spends ({len(self.spend)}) and standard errors "
                f"({len(self.standard_error)}, or none) as errors ({len(self.error)})"
            )


@dataclass(frozen=True)
class _Look:
    bar: str
    line: str
    dash: tuple[float, ...]
    width: float


_BEFORE = _Look("#b4c0cf", "#6b7686", (4.5, 2.0), 0.86)
_AFTER = _Look(BLUE, "#222222", (), 0.56)


@contextmanager
def default_style() -> Iterator[None]:
    """Draw as matplotlib does by default, whatever a person's settings or another package changed in it."""
    from matplotlib import style

    with style.context("default"):
        yield


def cluster_error_plot(
    errors: ClusterErrors,
    path: Path | str,
    *,
    after: ClusterErrors | None = None,
    unit: str = "meV/Å",
    names: tuple[str, str] = ("before", "after"),
    title: str = "",
) -> Path:
    """Write the chart of `cluster_error_chart` as PNG or SVG, by the ending of the path."""
    return write_chart(cluster_error_chart(errors, after=after, unit=unit, names=names, title=title), path)


def cluster_error_chart(
    errors: ClusterErrors,
    *,
    after: ClusterErrors | None = None,
    unit: str = "meV/Å",
    names: tuple[str, str] = ("before", "after"),
    title: str = "",
) -> Chart:
    """Return the cluster errors as bars, the overall RMSE as a line and populations as steps.

    A cross on the axis marks a cluster whose error is not known.

    Raises `UsageError` where the unit is unknown or `after` has other clusters.

    Parameters
    ----------
    errors : drawn from the lowest to the highest.
    after : errors on the same clusters later, drawn over them in the same order.
    unit : of the axis: meV/Å, eV/Å or kcal/mol/Å for forces; meV, eV or kcal/mol for energies per frame.
    names : of `errors` and `after` in the legend.
    """
    scale, count = _scale(unit), len(errors)
    if after is not None and set(after.cluster) != set(errors.cluster):
        raise UsageError(
            "errors before and after must be of the same clusters; keep the broad clusters fixed"
        )
    drawn = [(errors, _AFTER, "")]
    if after is not None:
        drawn = [(errors, _BEFORE, f"{names[0]}, "), (after, _AFTER, f"{names[1]}, ")]
    heights = [scale * np.array([found.rmse_of(c) for c in errors.cluster]) for found, _, _ in drawn]
    top = 1.05 * max(np.nanmax(each, initial=0.0) for each in heights) or 1.0
    across, crowds = Scale(-0.7, count - 0.3), Scale(0.0, 1.15 * max(errors.population))
    axes, crowd = Axes(*_BARS_AT, across, Scale(0.0, top)), Axes(*_BARS_AT, across, crowds)
    ordered = "cluster, ordered by error" + ("" if after is None else f" ({names[0]})")
    marks = [*axes.frame(ordered, f"{'force' if unit in FORCE_UNITS else 'energy'} RMSE ({unit})")]
    columns = []
    for (found, look, prefix), high in zip(drawn, heights, strict=True):
        overall = scale * found.overall
        marks += _bars(axes, high, overall, look)
        columns.append(
            [
                Key(f"{prefix}cluster RMSE", look.bar, filled=True),
                Key(f"{prefix}overall: {overall:.3g}", look.line, look.dash),
            ]
        )
    edges = np.repeat(np.arange(count + 1) - 0.5, 2)[1:-1]
    marks.append(Shape(crowd.place(edges, np.repeat(errors.population, 2)), CROWD, 1.2))
    marks += crowd.counts_right("frames in the cluster", CROWD)
    told = range(count) if count <= LABELLED else range(count - 12, count)
    marks += axes.ticks_below(told, [str(errors.cluster[i]) for i in told])
    columns.append([Key("population", CROWD)])
    right = WIDTH - 4 - sum(max(key.width for key in column) for column in columns)
    for column in columns:
        for row, key in enumerate(column):
            marks += key.marks(right, 12.0 + 11 * row)
        right += max(key.width for key in column)
    return Chart(WIDTH, HEIGHT, (*marks, Words(title, 4, 12, 10)) if title else tuple(marks))


def learning_curve_plot(
    curves: Sequence[LearningCurve],
    path: Path | str,
    *,
    spend_label: str = "spent (core-h)",
    unit: str = "meV/Å",
    quantity: str = "force RMSE",
    title: str = "",
) -> Path:
    """Write the chart of `learning_curve_chart` as PNG or SVG, by the ending of the path."""
    chart = learning_curve_chart(curves, spend_label=spend_label, unit=unit, quantity=quantity, title=title)
    return write_chart(chart, path)


def learning_curve_chart(
    curves: Sequence[LearningCurve],
    *,
    spend_label: str = "spent (core-h)",
    unit: str = "meV/Å",
    quantity: str = "force RMSE",
    title: str = "",
) -> Chart:
    """Return error against spend, one line per arm on logarithmic axes.

    Bands are ± one standard error, or between `LearningCurve.low` and `LearningCurve.high`.

    `quantity` names the error on its axis.

    A point without spend keeps the spend axis linear, an error of 0 that of the error.
    """
    scale = _scale(unit)
    if not curves:
        raise UsageError("a learning-curve plot needs at least one curve, got none")
    spends = np.concatenate([curve.spend for curve in curves])
    errors = scale * np.concatenate([curve.error for curve in curves])
    log = bool(errors.min() > 0)
    # the end of a band may lie at 0 or below, where a logarithmic axis has no place
    least = 0.5 * float(errors.min()) if log else -np.inf
    bands = [[np.maximum(scale * ends, least) for ends in _band(curve)] for curve in curves]
    shown = np.concatenate([errors, *(ends for band in bands for ends in band)])
    across = Scale.around(spends, log=bool(spends.min() > 0))
    axes = Axes(*_CURVES_AT, across, Scale.around(shown, log=log))
    marks = [*axes.frame(spend_label, f"{quantity} ({unit})")]
    marks += axes.ticks_below(across.ticks(), [f"{value:g}" for value in across.ticks()])
    keys, corners = [], axes.place(spends, errors)
    for curve, band, color, marker in zip(curves, bands, cycle(COLORS), cycle(_MARKERS), strict=False):
        order = np.argsort(curve.spend, kind="stable")
        x, dash = np.array(curve.spend)[order], (5.0, 2.5) if curve.extrapolated else ()
        if band:
            outline = [axes.place(x, ends[order]) for ends in band]
            marks.append(Shape([*outline[0], *outline[1][::-1]], width=0, fill=color, opacity=0.18))
        points = axes.place(x, scale * np.array(curve.error)[order])
        marks.append(Shape(points, color, 1.6, dash=dash))
        marks += [Shape(point + marker, width=0, fill=color) for point in points]
        keys.append(Key(curve.name, color, dash))
    marks += _legend(axes, keys, corners)
    return Chart(WIDTH, HEIGHT, (*marks, Words(title, 4, 12, 10)) if title else tuple(marks))


@default_style()
def save_figure(figure: "Figure", path: Path | str) -> Path:
    """Write a figure as PNG or SVG, by the ending of the path; the same figure gives the same bytes."""
    import matplotlib as mpl

    path = Path(path)
    require_picture(path)
    with replacing(path) as unfinished:
        if path.suffix == ".png":
            figure.savefig(unfinished, format="png", dpi=200)
        else:
            with mpl.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none"}):
                figure.savefig(unfinished, format="svg", metadata={"Date": None})
    return path


def _scale(unit: str) -> float:
    units = FORCE_UNITS | ENERGY_UNITS
    if unit not in units:
        raise UsageError(f"unit must be one of {', '.join(units)}, got {unit!r}")
    return units[unit]


def _band(curve: LearningCurve) -> tuple[FloatArray, ...]:
    """Return both ends of what an error lies between, eV/Å; () where it is not known."""
    if len(curve.low):
        return np.array(curve.low), np.array(curve.high)
    if len(curve.standard_error):
        error, spread = np.array(curve.error), np.array(curve.standard_error)
        return error - spread, error + spread
    return ()


def _bars(axes: Axes, heights: FloatArray, overall: float, look: _Look) -> Iterator[Shape]:
    half = look.width / 2
    for place, height in enumerate(heights.tolist()):
        if np.isfinite(height):
            sides = [place - half, place - half, place + half, place + half]
            yield Shape(axes.place(sides, [0.0, height, height, 0.0]), width=0, fill=look.bar)
        else:
            cross = axes.place(place, 0.0)
            for corner in polygon(4, 4.2, 45)[:2]:
                yield Shape([cross - corner, cross + corner], look.line, 1.4)
    ends = [axes.x.low, axes.x.high]
    yield Shape(axes.place(ends, [overall, overall]), look.line, 1.2, dash=look.dash)


def _legend(axes: Axes, keys: Sequence[Key], points: FloatArray) -> Iterator[Shape | Words]:
    """Yield a legend in the corner of the axes that covers the fewest points, the upper right one first."""
    wide, high = max(key.width for key in keys), 12.0 * len(keys)
    corners = [(x, y) for y in (axes.top, axes.bottom - high - 4) for x in (axes.right - wide, axes.left + 6)]

    def covered(corner: tuple[float, float]) -> int:
        inside = (points >= corner) & (points <= np.add(corner, (wide, high)))
        return int(inside.all(axis=1).sum())

    x, y = min(corners, key=covered)
    for row, key in enumerate(keys):
        yield from key.marks(x, y + 10 + 12 * row)
