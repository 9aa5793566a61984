"""Pictures of torsion scans."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.report.pictures.torsions import Turned, torsion_figure, torsion_plot

ANGLES = np.arange(0, 360, 30.0)
KNOWN = 0.05 * (1 - np.cos(np.radians(3 * ANGLES)))


def test_curves_begin_at_the_lowest_of_the_source_and_a_constant_means_nothing(tmp_path: Path) -> None:
    same, flat = KNOWN - 900.0, np.full(12, 3.0)
    scans = [Turned("C0–O1", ANGLES, KNOWN, {"same": same, "flat": flat})] * 4
    figure = torsion_figure(scans, "dft")
    assert [axes.get_title() for axes in figure.axes] == ["C0–O1"] * 4
    own, level, source = (np.asarray(line.get_ydata()) for line in figure.axes[0].lines)
    np.testing.assert_allclose(own, source, atol=1e-9)
    np.testing.assert_allclose(source, 1000 * KNOWN, atol=1e-9)
    np.testing.assert_allclose(level, 50.0)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["same", "flat", "dft"]
    assert figure.axes[0].get_ylabel() == "energy (meV)"
    in_kcal = np.asarray(torsion_figure(scans, "dft", "kcal/mol").axes[0].lines[2].get_ydata())
    assert in_kcal.max() == pytest.approx(2.306, abs=1e-3)
    assert torsion_plot(scans, "dft", tmp_path / "t.svg").stat().st_size > 1000


def test_without_a_scan_there_is_nothing_to_draw() -> None:
    with pytest.raises(UsageError, match="no bond of the molecules can be turned about"):
        torsion_figure([], "dft")
