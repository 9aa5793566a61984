from pathlib import Path

import numpy as np
import pytest
from spring_systems import Springs, shaken, training

from fidsel.exceptions import UsageError
from fidsel.models import NetworkForceField
from fidsel.refine import Adaptation, Means, always, error_shift, refine, shift
from fidsel.refine.figure import (
    error_shift_figure,
    error_shift_plot,
    radius_figure,
    radius_plot,
    shift_figure,
    shift_plot,
)


def test_every_measure_has_a_panel_with_a_row_for_each_system(
    family: NetworkForceField, tmp_path: Path
) -> None:
    found = shift(family, shaken("CH3OH", 3) + shaken("SiH4", 2).unlabelled(), training("accurate", 5))
    figure = shift_figure(found)
    panels = figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == list(found.per_frame)
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["CH4O", "H4Si"]
    points = [line.get_xdata() for line in panels[0].get_lines() if line.get_marker() == "o"]
    assert points == [[system.measures["composition"].value] for system in found.systems]
    assert len([line for line in panels[1].get_lines() if line.get_marker() == "o"]) == 1
    assert shift_plot(found, tmp_path / "shift.svg").read_text().count("connectivity") == 1
    with pytest.raises(UsageError, match=r"as .png or .svg"):
        shift_plot(found, tmp_path / "shift.txt")


def test_the_curves_of_the_cutoff_are_drawn(family: NetworkForceField, tmp_path: Path) -> None:
    found = refine(family, shaken("CH3CH2OH", 5), Means(training=training("accurate", 5)))
    (axes,) = radius_figure(found).axes
    curve, chosen, trained = axes.get_lines()
    radius = found.systems[0].radius
    assert radius is not None
    assert curve.get_ydata() == pytest.approx(radius.distances)
    assert chosen.get_xdata() == [radius.chosen]
    assert trained.get_xdata() == pytest.approx([4.0, 4.0])
    assert radius_plot(found, tmp_path / "radius.png").stat().st_size > 1000
    still = Adaptation(steps=1)
    none = refine(family, shaken("CH3OH", 5), Means(prior=always(Springs()), how=still))
    assert len(radius_figure(none).axes[0].get_lines()) == 0


def test_errors_are_drawn_against_each_measure(family: NetworkForceField, tmp_path: Path) -> None:
    frames = shaken("CH3OH", 6, 1) + shaken("CH3CH2OH", 6, 2)
    found = error_shift(
        family, frames, np.linspace(0.1, 1.2, 12), np.arange(12), training("accurate", 5), "eV/Å"
    )
    panels = error_shift_figure(found).axes
    assert [axes.get_title(loc="left").partition(",")[0] for axes in panels] == list(found.trends)
    dots = panels[0].get_lines()[0]
    assert dots.get_xdata() == pytest.approx(found.distances["composition"])
    assert dots.get_ydata() == pytest.approx(np.linspace(100, 1200, 12))
    assert error_shift_plot(found, tmp_path / "shift.png").stat().st_size > 1000
