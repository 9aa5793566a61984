"""Charts as SVG and as PNG."""

from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from matplotlib.image import imread

from fidsel.exceptions import UsageError
from fidsel.report.chart import Chart, Shape, Words, polygon, require_picture, svg_of, write_chart

SQUARE = Shape([[10, 10], [30, 10], [30, 30], [10, 30]], width=0, fill="#ff0000")
LINE = Shape([[0, 40], [60, 40]], "#0000ff", 2.0, dash=(4.0, 2.0))
CHART = Chart(
    60.0, 50.0, (SQUARE, LINE, Words("a < b", 40, 20), Words("up", 50, 30, anchor="end", turned=True))
)


def test_marks_lie_where_they_are_said_to(tmp_path: Path) -> None:
    """In the picture a point is 200/72 pixels; the square is 20 points wide and begins at 10."""
    pixels = imread(write_chart(CHART, tmp_path / "a.png"))[:, :, :3]
    red = np.argwhere((pixels == [1, 0, 0]).all(axis=2)) * 72 / 200
    assert red.min(axis=0) == pytest.approx([10, 10], abs=1.0)
    assert red.max(axis=0) == pytest.approx([30, 30], abs=1.0)
    blue = np.argwhere((pixels == [0, 0, 1]).all(axis=2)) * 72 / 200
    assert np.ptp(blue[:, 0]) < 2.5
    assert 0.5 < len(np.unique(blue[:, 1])) / (60 * 200 / 72) < 0.85, "two thirds of it are drawn"


def test_svg_has_every_mark() -> None:
    drawn = fromstring(svg_of(CHART))
    _, square, line, text, turned = drawn
    assert square.attrib == {"d": "M10.00 10.00L30.00 10.00L30.00 30.00L10.00 30.00Z", "fill": "#ff0000"}
    assert line.attrib["stroke-dasharray"] == "4 2"
    assert (text.text, text.attrib["text-anchor"]) == ("a < b", "start")
    assert turned.attrib["transform"] == "rotate(-90 50.00 30.00)"
    assert drawn.attrib["viewBox"] == "0 0 60 50"


def test_a_file_of_svg_is_a_document(tmp_path: Path) -> None:
    text = write_chart(CHART, tmp_path / "a.svg").read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert svg_of(CHART) in text


def test_polygons() -> None:
    np.testing.assert_allclose(polygon(4, 2.0), [[0, -2], [2, 0], [0, 2], [-2, 0]], atol=1e-12)
    np.testing.assert_allclose(polygon(4, 1.0, 45)[0], [np.sqrt(0.5), -np.sqrt(0.5)])


def test_a_picture_is_named_before_it_is_drawn() -> None:
    require_picture(None)
    require_picture(Path("x.svg"))
    with pytest.raises(UsageError, match=r"\.png or \.svg, got x\.pdf"):
        require_picture(Path("x.pdf"))
