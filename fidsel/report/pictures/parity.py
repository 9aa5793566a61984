"""The parity picture: predictions against labels, for forces and for energies."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fidsel.arrays import FloatArray, evenly
from fidsel.report.pictures.plot import BLUE, default_style, save_figure
from fidsel.training.evaluation import Deviation, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN = 20_000
"""Points drawn at most, evenly taken from all: more look the same and take long."""


def parity_plot(found: Evaluation, path: Path | str, *, title: str = "") -> Path:
    """Write the figure of `parity_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(parity_figure(found, title=title), path)


@default_style()
def parity_figure(found: Evaluation, *, title: str = "") -> "Figure":
    """Return predictions against labels: force components in eV/Å and energies in eV, as far as there are.

    Energies have the constants between both taken out (see `Evaluation.constants`) and are counted from
    the median label of their molecule, so that molecules of every size share the axes.
    """
    from matplotlib.figure import Figure

    whole = found.whole
    panels = [panel for panel in (whole.forces and "forces", whole.aligned and "energies") if panel]
    figure = Figure(figsize=(0.6 + 3.8 * len(panels), 4.2))
    width = figure.get_figwidth()
    for number, panel in enumerate(panels):
        axes = figure.add_axes(((0.7 + 3.8 * number) / width, 0.125, 2.95 / width, 0.70))
        if panel == "forces":
            _panel(axes, *_forces(found), "force component", "eV/Å", whole.forces)
        else:
            _panel(axes, *_energies(found), "energy, constant taken out", "eV", whole.aligned)
    figure.text(0.01, 0.985, title.replace("$", r"\$"), va="top", fontsize=10)
    return figure


def _forces(found: Evaluation) -> tuple[FloatArray, FloatArray]:
    known = np.repeat(found.frames.has_forces, found.frames.sizes)
    return found.frames.forces[known].ravel(), found.prediction.forces[known].ravel()


def _energies(found: Evaluation) -> tuple[FloatArray, FloatArray]:
    known = np.isfinite(found.frames.energy) & ~found.alone
    label = found.frames.energy[known]
    predicted = (found.prediction.energy - found.constants)[known]
    _, molecule = np.unique(np.array(found.frames.formulas)[known], return_inverse=True)
    middle = np.array([np.median(label[molecule == m]) for m in range(molecule.max() + 1)])[molecule]
    return label - middle, predicted - middle


def _panel(
    axes: "Axes", label: FloatArray, predicted: FloatArray, what: str, unit: str, errors: Deviation | None
) -> None:
    rows = evenly(len(label), DRAWN)
    low = float(min(label.min(), predicted.min()))
    high = float(max(label.max(), predicted.max()))
    room = 0.04 * (high - low) or 1.0
    ends = (low - room, high + room)
    axes.plot(ends, ends, color="#777777", linewidth=0.9, zorder=1)
    axes.scatter(
        label[rows], predicted[rows], 6, color=BLUE, alpha=0.35, linewidths=0, zorder=2, rasterized=True
    )
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.set_xlabel(f"label ({unit})")
    axes.set_ylabel(f"prediction ({unit})")
    axes.spines[["top", "right"]].set_visible(False)
    told = "" if errors is None else f"\nMAE {1000 * errors.mae:.4g}, RMSE {1000 * errors.rmse:.4g} m{unit}"
    axes.set_title(f"{what}{told}", fontsize=9, loc="left")
