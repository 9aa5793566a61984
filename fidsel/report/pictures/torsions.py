"""Pictures of torsion scans: energies of models beside those of a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fidsel.exceptions import UsageError
from fidsel.report.pictures.plot import COLORS, ENERGY_UNITS, default_style, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 3
"""Panels beside each other."""
PANEL = (2.0, 1.6)
"""Inches, width and height of a panel."""


@dataclass(frozen=True)
class Turned:
    """Energies along the rotation about a bond.

    Parameters
    ----------
    title : of the panel.
    angles : (n,) degrees.
    reference : (n,) eV, of the source.
    models : (n,) eV of each model, by its name.
    """

    title: str
    angles: Sequence[float]
    reference: Sequence[float]
    models: Mapping[str, Sequence[float]]


def torsion_plot(scans: Sequence[Turned], source: str, path: Path | str) -> Path:
    """Write the figure of `torsion_figure` as PNG or SVG, by the ending of the path."""
    return save_figure(torsion_figure(scans, source), path)


@default_style()
def torsion_figure(scans: Sequence[Turned], source: str, unit: str = "meV") -> "Figure":
    """Return a panel for each scan, of energies above the lowest of the source; the source is black.

    Each curve is moved so that its mean is that of the source: a constant between them means nothing.

    Raises a `UsageError` where there is no scan.
    """
    from matplotlib.figure import Figure

    if not scans:
        raise UsageError("there is no torsion to draw: no bond of the molecules can be turned about")
    names = list(dict.fromkeys(name for scan in scans for name in scan.models))
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    rows, wide = -(-len(scans) // ACROSS), min(max(2, len(scans)), ACROSS)
    figure = Figure(figsize=(0.75 + wide * (PANEL[0] + 0.45), 0.75 + rows * (PANEL[1] + 0.35)))
    width, height = figure.get_size_inches()
    for number, scan in enumerate(scans):
        row, column = divmod(number, ACROSS)
        left, below = 0.75 + column * (PANEL[0] + 0.45), height - 0.7 - row * (PANEL[1] + 0.35) - PANEL[1]
        axes = figure.add_axes((left / width, below / height, PANEL[0] / width, PANEL[1] / height))
        known = np.array(scan.reference)
        for name, energies in scan.models.items():
            own = np.array(energies) - np.mean(energies) + known.mean()
            axes.plot(
                scan.angles, ENERGY_UNITS[unit] * (own - known.min()), "o-", color=colors[name],
                markersize=3, linewidth=1.4, label=name,
            )  # fmt: skip
        axes.plot(
            scan.angles, ENERGY_UNITS[unit] * (known - known.min()), "s--", color="black", markersize=3,
            linewidth=1.0, label=source,
        )  # fmt: skip
        axes.set_title(scan.title, fontsize=8, pad=3)
        axes.set_xticks(range(0, 361, 90))
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if number >= len(scans) - ACROSS:
            axes.set_xlabel("angle (°)", fontsize=8)
        if column == 0:
            axes.set_ylabel(f"energy ({unit})", fontsize=8)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="upper right", ncols=4)
    return figure
