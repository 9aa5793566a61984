"""Figures of cluster errors and learning curves, as PNG or SVG; no display and no global state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.units import kcal, mol

from fidsel.data.atomic import replacing, require_ending
from fidsel.exceptions import UsageError
from fidsel.selector.cluster_error import ClusterErrors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Place = tuple[float, float, float, float]

FORCE_UNITS = {"meV/Å": 1000.0, "eV/Å": 1.0, "kcal/mol/Å": mol / kcal}
"""What 1 eV/Å is in each unit a plot of force errors may use."""
ENERGY_UNITS = {"meV": 1000.0, "eV": 1.0, "kcal/mol": mol / kcal}
"""What 1 eV is in each unit a plot of energy errors may use."""

BLUE, CROWD = "#0072b2", "#d55e00"
COLORS = (BLUE, CROWD, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#000000")
"""Of curves, in order: eyes of every kind tell them apart (after Okabe and Ito)."""
BARS_AT, CURVES_AT = (0.115, 0.165, 0.775, 0.685), (0.115, 0.165, 0.865, 0.745)
"""Left, bottom, width and height of the axes as shares of a figure; title and legend stand above."""
NARROW = 8
"""Largest ratio of the ends of a logarithmic axis that has even ticks: those of decades would be too few."""
FEW_CURVES = 3
"""Curves whose legend has room among them; that of more stands above."""
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
    style: str
    width: float


_BEFORE = _Look("#b4c0cf", "#6b7686", "--", 0.86)
_AFTER = _Look(BLUE, "#222222", "-", 0.56)


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
    """Write the figure of `cluster_error_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(cluster_error_figure(errors, after=after, unit=unit, names=names, title=title), path)


@default_style()
def cluster_error_figure(
    errors: ClusterErrors,
    *,
    after: ClusterErrors | None = None,
    unit: str = "meV/Å",
    names: tuple[str, str] = ("before", "after"),
    title: str = "",
) -> "Figure":
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
    scale = _scale(unit)
    if after is not None and set(after.cluster) != set(errors.cluster):
        raise UsageError(
            "errors before and after must be of the same clusters; keep the broad clusters fixed"
        )
    figure, axes = _figure(BARS_AT, f"{'force' if unit in FORCE_UNITS else 'energy'} RMSE ({unit})", title)
    if after is None:
        _bars(axes, errors, errors.cluster, scale, _AFTER)
    else:
        old, new = map(_text, names)
        _bars(axes, errors, errors.cluster, scale, _BEFORE, prefix=f"{old}, ")
        _bars(axes, after, errors.cluster, scale, _AFTER, prefix=f"{new}, ")
    axes.set_xlabel("cluster, ordered by error" + ("" if after is None else f" ({_text(names[0])})"))
    axes.set_xlim(-0.7, len(errors) - 0.3)
    places = np.arange(len(errors))
    told = places if len(places) <= LABELLED else places[-12:]
    size, turn = (7, 90) if len(places) > 12 else (9, 0)
    axes.set_xticks(told, [str(errors.cluster[i]) for i in told], fontsize=size, rotation=turn)
    crowd = axes.twinx()
    crowd.step(places, errors.population, where="mid", color=CROWD, linewidth=1.2, label="population")
    crowd.set_ylim(0, 1.15 * max(errors.population))
    crowd.set_ylabel("frames in the cluster", color=CROWD)
    crowd.tick_params(axis="y", colors=CROWD)
    crowd.spines[["top", "left", "bottom"]].set_visible(False)
    lines, bars = axes.get_lines(), axes.containers
    handles = [handle for pair in zip(bars, lines, strict=True) for handle in pair] + crowd.get_lines()
    figure.legend(handles=handles, frameon=False, loc="upper right", ncols=3, fontsize=8, borderaxespad=0.2)
    return figure


def learning_curve_plot(
    curves: Sequence[LearningCurve],
    path: Path | str,
    *,
    spend_label: str = "spent (core-h)",
    unit: str = "meV/Å",
    quantity: str = "force RMSE",
    title: str = "",
) -> Path:
    """Write the figure of `learning_curve_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(
        learning_curve_figure(curves, spend_label=spend_label, unit=unit, quantity=quantity, title=title),
        path,
    )


@default_style()
def learning_curve_figure(
    curves: Sequence[LearningCurve],
    *,
    spend_label: str = "spent (core-h)",
    unit: str = "meV/Å",
    quantity: str = "force RMSE",
    title: str = "",
) -> "Figure":
    """Return error against spend, one line per arm on logarithmic axes.

    Bands are ± one standard error, or between `LearningCurve.low` and `LearningCurve.high`.

    `quantity` names the error on its axis.

    A point without spend keeps the spend axis linear.
    """
    scale = _scale(unit)
    if not curves:
        raise UsageError("a learning-curve plot needs at least one curve, got none")
    figure, axes = _figure(CURVES_AT, f"{_text(quantity)} ({unit})", title)
    for curve, color, marker in zip(curves, cycle(COLORS), cycle("osD^vP*X"), strict=False):
        order = np.argsort(curve.spend, kind="stable")
        x, y = np.array(curve.spend)[order], scale * np.array(curve.error)[order]
        style = "--" if curve.extrapolated else "-"
        axes.plot(
            x, y, style, marker=marker, color=color, markersize=5, linewidth=1.6, label=_text(curve.name)
        )
        if len(curve.standard_error):
            spread = scale * np.array(curve.standard_error)[order]
            axes.fill_between(x, y - spread, y + spread, color=color, alpha=0.18, linewidth=0)
        if len(curve.low):
            low, high = (scale * np.array(ends)[order] for ends in (curve.low, curve.high))
            axes.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
    _log_axes(axes, curves)
    axes.set_xlabel(_text(spend_label))
    if len(curves) <= FEW_CURVES:
        axes.legend(frameon=False)
    else:
        left, bottom, width, height = CURVES_AT
        axes.set_position((left, bottom, width, height - 0.055 * (len(curves) // 2)))
        figure.legend(frameon=False, loc="upper center", ncols=2, fontsize=8, borderaxespad=0.2)
    return figure


@default_style()
def save_figure(figure: "Figure", path: Path | str) -> Path:
    """Write a figure as PNG or SVG, by the ending of the path; the same figure gives the same bytes."""
    path = Path(path)
    require_picture(path)
    with replacing(path) as unfinished:
        if path.suffix.lower() == ".png":
            figure.savefig(unfinished, format="png", dpi=200)
        else:
            unfinished.write_text(svg(figure, path.stem), encoding="utf-8")
    return path


@default_style()
def svg(figure: "Figure", name: str) -> str:
    """Return a figure as an SVG document with its words as text; `name` keeps its ids apart on a page."""
    import matplotlib as mpl

    out = StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def require_picture(path: Path | None) -> None:
    """Raise a `UsageError` for a path that is no picture's, before anything is computed for it."""
    require_ending(path, "a picture", ".png", ".svg")


def _scale(unit: str) -> float:
    units = FORCE_UNITS | ENERGY_UNITS
    if unit not in units:
        raise UsageError(f"unit must be one of {', '.join(units)}, got {unit!r}")
    return units[unit]


def _figure(place: Place, ylabel: str, title: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4))  # fixed margins: a layout engine takes four times as long as the rest
    axes = figure.add_axes(place)
    axes.set_ylabel(ylabel)
    figure.text(0.01, 0.99, _text(title), va="top", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _text(words: str) -> str:
    """Return words as they are to be drawn: a dollar is one, and begins no formula."""
    return words.replace("$", r"\$")


def _bars(
    axes: "Axes", errors: ClusterErrors, order: Sequence[int], scale: float, look: _Look, *, prefix: str = ""
) -> None:
    heights, overall = np.array([scale * errors.rmse_of(c) for c in order]), scale * errors.overall
    axes.bar(range(len(order)), heights, look.width, color=look.bar, label=f"{prefix}cluster RMSE")
    axes.axhline(
        overall, color=look.line, linestyle=look.style, linewidth=1.2, label=f"{prefix}overall: {overall:.3g}"
    )
    unknown = np.flatnonzero(np.isnan(heights))
    axes.scatter(unknown, 0 * unknown, 24, marker="x", color=look.line, clip_on=False)


def _log_axes(axes: "Axes", curves: Sequence[LearningCurve]) -> None:
    from matplotlib.ticker import LogFormatter, MaxNLocator, NullLocator

    class Plain(LogFormatter):
        """Labels the ticks that matplotlib would, as plain numbers: it writes 0.6 as 6e-01."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    plain: list[Axis] = []
    if all(min(curve.error, default=1.0) > 0 for curve in curves):
        axes.set_yscale("log")
        plain.append(axes.yaxis)
    if all(min(curve.spend, default=1.0) > 0 for curve in curves):
        axes.set_xscale("log")
        plain.append(axes.xaxis)
    for axis in plain:
        axis.set_major_formatter("{x:g}")
        low, high = axis.get_view_interval()
        if high < NARROW * low:
            axis.set_major_locator(MaxNLocator(6))
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_minor_formatter(Plain(minor_thresholds=(2, 0.5)))
