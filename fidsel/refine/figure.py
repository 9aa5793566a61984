"""Pictures of shifts, of errors against them, and of cutoff curves."""

from pathlib import Path
from typing import TYPE_CHECKING

from fidsel.refine.diagnostics import UNITS, Shift
from fidsel.refine.record import Refinement
from fidsel.refine.trend import ErrorShift
from fidsel.report.pictures.plot import BLUE, COLORS, CROWD, default_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.24
"""Inches of height for each system."""


def shift_plot(found: Shift, path: Path | str) -> Path:
    """Write the figure of `shift_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(shift_figure(found), path)


@default_style()
def shift_figure(found: Shift) -> "Figure":
    """Return each measure of each system beside that of training: a band of one standard deviation.

    A line goes from the 5th to the 95th percentile of a system's frames; what is far is orange.
    """
    from matplotlib.figure import Figure

    names = list(found.per_frame)
    height = 1.1 + ROW * len(found.systems)
    figure = Figure(figsize=(1.4 + 2.3 * len(names), height))
    width = figure.get_figwidth()
    for number, name in enumerate(names):
        place = ((1.35 + 2.3 * number) / width, 0.55 / height, 2.0 / width, 1 - 0.95 / height)
        axes = figure.add_axes(place)
        _measure(axes, found, name)
        told = [system.name for system in found.systems] if number == 0 else []
        axes.set_yticks(range(len(told)), told, fontsize=8)
        axes.set_ylim(len(found.systems) - 0.4, -0.6)
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_xlabel(UNITS.get(name, ""))
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _measure(axes: "Axes", found: Shift, name: str) -> None:
    for row, system in enumerate(found.systems):
        one = system.measures.get(name)
        if one is None:
            continue
        color = CROWD if one.far else BLUE
        axes.plot([one.low, one.high], [row, row], color=color, linewidth=1.2)
        axes.plot([one.value], [row], "o", color=color, markersize=5)
    known = next((s.measures[name] for s in found.systems if name in s.measures), None)
    if known is not None:
        axes.axvspan(known.mean - known.spread, known.mean + known.spread, color="#dddddd", zorder=0)
        axes.axvline(known.mean, color="#777777", linewidth=0.9, zorder=0)


def error_shift_plot(found: ErrorShift, path: Path | str) -> Path:
    """Write the figure of `error_shift_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(error_shift_figure(found), path)


@default_style()
def error_shift_figure(found: ErrorShift) -> "Figure":
    """Return the error of each frame against each measure of its shift; steps are the RMSE of quarters."""
    from matplotlib.figure import Figure

    names = list(found.trends)
    width = 0.75 + 2.4 * max(len(names), 1)
    figure = Figure(figsize=(width, 2.7))
    for number, name in enumerate(names):
        axes = figure.add_axes(((0.65 + 2.4 * number) / width, 0.2, 2.1 / width, 0.66))
        trend = found.trends[name]
        axes.plot(found.distances[name], 1000 * found.errors, ".", color=CROWD, markersize=3, alpha=0.6)
        rmse = [float("nan") if value is None else 1000 * value for value in trend.rmse]
        steps = [rmse[0], *rmse]
        axes.step(trend.edges, steps, where="pre", color=BLUE, linewidth=1.6)
        rank = "" if trend.rank is None else f", rank {trend.rank:.2f}"
        axes.set_title(f"{name}{rank}", fontsize=9, loc="left")
        axes.set_xlabel(f"distance from training {UNITS.get(name, '')}".rstrip(), fontsize=8)
        axes.set_ylabel(f"error, m{found.unit}" if number == 0 else "", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def radius_plot(found: Refinement, path: Path | str) -> Path:
    """Write the figure of `radius_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(radius_figure(found), path)


@default_style()
def radius_figure(found: Refinement) -> "Figure":
    """Return d(r), the distance of each system's graphs from those of training, with the cutoff chosen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4))
    axes = figure.add_axes((0.115, 0.165, 0.865, 0.745))
    for number, system in enumerate(found.systems):
        if (radius := system.radius) is None:
            continue
        color = COLORS[number % len(COLORS)]
        axes.plot(radius.radii, radius.distances, color=color, linewidth=1.4, label=system.name)
        chosen = radius.distances[radius.radii.index(radius.chosen)]
        axes.plot([radius.chosen], [chosen], "o", color=color, markersize=6)
        axes.axvline(radius.trained, color="#777777", linewidth=0.9, linestyle="--")
    axes.set_xlabel("cutoff (Å); dashed: that of training, dots: chosen")
    axes.set_ylabel("distance of the spectra")
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
    return figure
