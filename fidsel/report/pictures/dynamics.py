"""Pictures of dynamics: how many replicas last, and how far apart atoms are."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fidsel.md.distances import Distribution
from fidsel.md.dynamics.study import Study
from fidsel.report.pictures.plot import COLORS, default_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def dynamics_plot(study: Study, distributions: Mapping[str, Distribution], path: Path | str) -> Path:
    """Write the figure of `dynamics_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(dynamics_figure(study, distributions), path)


@default_style()
def dynamics_figure(study: Study, distributions: Mapping[str, Distribution]) -> "Figure":
    """Return the share of replicas left over time, for each run, and h(r) beside a reference.

    Parameters
    ----------
    distributions : h(r) by name, "reference" among them, which is black; none = no such panel.
    """
    from matplotlib.figure import Figure

    panels = 2 if distributions else 1
    figure = Figure(figsize=(1.0 + 4.6 * panels, 3.6))
    width = figure.get_figwidth()
    places = [((0.65 + 4.6 * i) / width, 0.16, 4.1 / width, 0.77) for i in range(panels)]
    _survival(figure.add_axes(places[0]), study)
    if distributions:
        axes = figure.add_axes(places[1])
        for number, (name, found) in enumerate(distributions.items()):
            color, line = ("black", "--") if name == "reference" else (COLORS[number % len(COLORS)], "-")
            axes.plot(found.middles, found.density, color=color, linewidth=1.2, linestyle=line, label=name)
        axes.set_xlabel("distance r (Å)")
        axes.set_ylabel("h(r) (1/Å)")
        _finish(axes)
    return figure


def _survival(axes: "Axes", study: Study) -> None:
    for number, one in enumerate(study.simulations):
        color = COLORS[number % len(COLORS)]
        failed = np.sort([t for t, end in zip(one.times, one.ends, strict=True) if end.exit is not None])
        times = np.concatenate([[0.0], failed, [one.steps * one.run.thermostat.timestep]]) / 1000
        left = 1 - np.arange(len(failed) + 1) / len(one.ends)
        axes.step(times, [*left, left[-1]], where="post", color=color, linewidth=1.5, label=one.name)
    axes.set_ylim(-0.03, 1.06)
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("share of replicas left")
    _finish(axes)


def _finish(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7)
