from pathlib import Path

import pytest
from springs import Springs, shaken, training

from fidsel.exceptions import UsageError
from fidsel.models import NetworkForceField
from fidsel.refine import Adaptation, Means, always, refine, shift
from fidsel.refine.figure import radius_figure, radius_plot, shift_figure, shift_plot


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
