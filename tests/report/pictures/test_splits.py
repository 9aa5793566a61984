from pathlib import Path

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.recommend import PricedLevel, plan
from fidsel.report.pictures.splits import cheap_share, draw_splits, split_figure

LEVELS = [PricedLevel("xtb", 0.001), PricedLevel("dft", 0.05), PricedLevel("ccsd(t)", 1.0)]


def test_each_cheap_level_has_a_line_and_the_recommended_split_a_mark() -> None:
    made = plan(60, LEVELS, validation=5)
    axes = split_figure(made).axes[0]
    lines = {str(line.get_label()): line.get_xydata() for line in axes.get_lines()}
    assert {"xtb", "dft"} <= set(lines)
    (mark,) = [points for name, points in lines.items() if name.startswith("recommended")]
    np.testing.assert_allclose(mark[0, 1], made.recommended.relative.median)
    for name in ("xtb", "dft"):
        assert np.all(np.diff(lines[name][:, 0]) > 0)
        np.testing.assert_allclose(lines[name][0], (0.0, 1.0), atol=1e-9)
        assert lines[name][:, 1].min() >= mark[0, 1] - 0.05


def test_the_share_is_that_of_the_training_labels() -> None:
    made = plan(60, LEVELS[1:], validation=5)
    assert cheap_share(made, made.table[0]) == 0.0
    row = made.recommended
    paid = 0.05 * row.bought[0]
    assert cheap_share(made, row) == pytest.approx(paid / (paid + row.bought[1]))


def test_a_plan_of_one_level_and_other_endings(tmp_path: Path) -> None:
    made = plan(60, LEVELS[-1:], unit="$")
    assert draw_splits(made, tmp_path / "plan.svg").read_text().startswith("<?xml")
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        draw_splits(made, tmp_path / "plan.pdf")
