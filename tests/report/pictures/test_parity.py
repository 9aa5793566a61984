from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.models import Predictions
from fidsel.report.pictures.parity import DRAWN, parity_figure, parity_plot
from fidsel.training.evaluation import evaluate

LABELS = frames(50)
FOUND = evaluate(
    Predictions(LABELS.replace(energy=LABELS.energy + 300.0, forces=1.1 * LABELS.forces)), LABELS
)


def test_points_lie_where_labels_and_predictions_are() -> None:
    forces, energies = parity_figure(FOUND, title="x").axes
    points = np.asarray(forces.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 1], 1.1 * points[:, 0])
    assert len(points) == 600
    assert "MAE" in forces.get_title(loc="left")
    inside = np.asarray(energies.collections[0].get_offsets())
    np.testing.assert_allclose(inside[:, 1], inside[:, 0], atol=1e-6)
    assert np.median(inside[:, 0]) == pytest.approx(0.0, abs=1e-6)


def test_panels_without_labels_are_left_out_and_many_points_thinned() -> None:
    only = LABELS.replace(energy=None)
    assert len(parity_figure(evaluate(Predictions(LABELS), only)).axes) == 1
    many = frames(2000)
    (forces, _) = parity_figure(evaluate(Predictions(many), many)).axes
    assert len(np.asarray(forces.collections[0].get_offsets())) == DRAWN


def test_the_picture_is_png_or_svg(tmp_path: Path) -> None:
    png = parity_plot(FOUND, tmp_path / "parity.png", title="a $ b")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "prediction (eV/Å)" in parity_plot(FOUND, tmp_path / "parity.svg").read_text()
