"""Plots of cluster errors and learning curves, written as PNG; no display and no global state."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.units import kcal, mol

from fidsel.data.atomic import replacing
from fidsel.errors import UsageError
from fidsel.selector.cluster_error import ClusterErrors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FORCE_UNITS = {"meV/Å": 1000.0, "eV/Å": 1.0, "kcal/mol/Å": mol / kcal}
"""What 1 eV/Å is in each unit a plot of force errors may use."""
ENERGY_UNITS = {"meV": 1000.0, "eV": 1.0, "kcal/mol": mol / kcal}
"""What 1 eV is in each unit a plot of energy errors may use."""

BLUE, CROWD = "#1f5fa8", "#c8701f"


@dataclass(frozen=True)
class _Look:
    bar: str
    line: str
    style: str
    width: float


_BEFORE = _Look("#b4c0cf", "#6b7686", "--", 0.86)
_AFTER = _Look(BLUE, "#222222", "-", 0.56)


def cluster_error_plot(
    errors: ClusterErrors,
    path: Path | str,
    *,
    after: ClusterErrors | None = None,
    unit: str = "meV/Å",
    names: tuple[str, str] = ("before", "after"),
    title: str = "",
) -> Path:
    """Write the cluster errors as bars, the overall RMSE as a line and populations as steps.

    Parameters
    ----------
    errors : drawn from the lowest to the highest.
    path : of the PNG.
    after : errors on the same clusters later, drawn over them in the same order.
    unit : of the axis: meV/Å, eV/Å or kcal/mol/Å for forces; meV, eV or kcal/mol for energies per frame.
    names : of `errors` and `after` in the legend.

    Raises
    ------
    UsageError
        where the unit is unknown or `after` has other clusters.
    """
    units = FORCE_UNITS | ENERGY_UNITS
    if unit not in units:
        raise UsageError(f"unit must be one of {', '.join(units)}, got {unit!r}")
    if after is not None and set(after.cluster) != set(errors.cluster):
        raise UsageError(
            "errors before and after must be of the same clusters; keep the broad clusters fixed"
        )
    figure, axes = _figure(f"{'force' if unit in FORCE_UNITS else 'energy'} RMSE ({unit})", title)
    places = np.arange(len(errors))
    if after is None:
        _bars(axes, errors, errors.cluster, units[unit], _AFTER)
    else:
        _bars(axes, errors, errors.cluster, units[unit], _BEFORE, prefix=f"{names[0]}, ")
        _bars(axes, after, errors.cluster, units[unit], _AFTER, prefix=f"{names[1]}, ")
    axes.set_xlabel("cluster, ordered by error" + ("" if after is None else f" ({names[0]})"))
    axes.set_xlim(-0.7, len(errors) - 0.3)
    axes.set_xticks(places, [str(c) for c in errors.cluster], fontsize=7, rotation=90)
    crowd = axes.twinx()
    crowd.step(places, errors.population, where="mid", color=CROWD, linewidth=1.2, label="population")
    crowd.set_ylim(0, 1.15 * max(errors.population))
    crowd.set_ylabel("frames in the cluster", color=CROWD)
    crowd.tick_params(axis="y", colors=CROWD)
    crowd.spines[["top", "left", "bottom"]].set_visible(False)
    handles = [h for a in (axes, crowd) for h in a.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, frameon=False, loc="outside upper right", ncols=3, fontsize=8)
    return _save(figure, Path(path))


@dataclass(frozen=True)
class Curve:
    """One arm of a learning-curve plot.

    Parameters
    ----------
    name : in the legend, e.g. "campaign".
    spend : (k,) what had been spent at each point.
    error : (k,) eV/Å, on a held-out set.
    standard_error : (k,) eV/Å of the mean over seeds; empty = not known.
    extrapolated : drawn dashed, as not measured.
    """

    name: str
    spend: Sequence[float]
    error: Sequence[float]
    standard_error: Sequence[float] = ()
    extrapolated: bool = False

    def __post_init__(self) -> None:
        if len(self.spend) != len(self.error) or len(self.standard_error) not in (0, len(self.error)):
            raise UsageError(
                f"curve {self.name!r} needs as many spends ({len(self.spend)}) and standard errors "
                f"({len(self.standard_error)}, or none) as errors ({len(self.error)})"
            )


def learning_curve_plot(
    curves: Sequence[Curve],
    path: Path | str,
    *,
    spend_label: str = "spent (core-h)",
    unit: str = "meV/Å",
    quantity: str = "force RMSE",
    title: str = "",
) -> Path:
    """Write error against spend, one line per arm on logarithmic axes; bands are ± one standard error.

    `quantity` names the error on its axis.

    A point without spend keeps the spend axis linear.
    """
    units = FORCE_UNITS | ENERGY_UNITS
    if unit not in units:
        raise UsageError(f"unit must be one of {', '.join(units)}, got {unit!r}")
    if not curves:
        raise UsageError("a learning-curve plot needs at least one curve, got none")
    scale = units[unit]
    figure, axes = _figure(f"{quantity} ({unit})", title)
    for curve, color, marker in zip(curves, _colors(len(curves)), "osD^vP*X" * len(curves), strict=False):
        order = np.argsort(curve.spend, kind="stable")
        x, y = np.array(curve.spend)[order], scale * np.array(curve.error)[order]
        style = "--" if curve.extrapolated else "-"
        axes.plot(x, y, style, marker=marker, color=color, markersize=5, linewidth=1.6, label=curve.name)
        if curve.standard_error:
            spread = scale * np.array(curve.standard_error)[order]
            axes.fill_between(x, y - spread, y + spread, color=color, alpha=0.18, linewidth=0)
    _log_axes(axes, curves)
    axes.set_xlabel(spend_label)
    axes.legend(frameon=False)
    return _save(figure, Path(path))


def _figure(ylabel: str, title: str) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(ylabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e3e3", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _bars(
    axes: "Axes", errors: ClusterErrors, order: Sequence[int], scale: float, look: _Look, *, prefix: str = ""
) -> None:
    heights, overall = [scale * errors.of(c) for c in order], scale * errors.overall
    axes.bar(range(len(order)), heights, look.width, color=look.bar, label=f"{prefix}cluster RMSE")
    axes.axhline(
        overall, color=look.line, linestyle=look.style, linewidth=1.2, label=f"{prefix}overall: {overall:.3g}"
    )


def _colors(count: int) -> list[str]:
    base = [BLUE, CROWD, "#5a8f3c", "#8a4fa3", "#b03a48", "#3b8f93", "#7a6a3a", "#555555"]
    return [base[i % len(base)] for i in range(count)]


def _log_axes(axes: "Axes", curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import LogFormatter

    plain: list[Axis] = []
    if all(min(curve.error, default=1.0) > 0 for curve in curves):
        axes.set_yscale("log")
        plain.append(axes.yaxis)
    if all(min(curve.spend, default=1.0) > 0 for curve in curves):
        axes.set_xscale("log")
        plain.append(axes.xaxis)
    for axis in plain:
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))


def _save(figure: "Figure", path: Path) -> Path:
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=150)
    return path
