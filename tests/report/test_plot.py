from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from ase import units
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from fidsel.exceptions import UsageError
from fidsel.report import LearningCurve, cluster_error_plot, learning_curve_plot
from fidsel.report.chart import Chart, Shape, Words, svg_of
from fidsel.report.plot import (
    BLUE,
    COLORS,
    FORCE_UNITS,
    cluster_error_chart,
    learning_curve_chart,
    save_figure,
)
from fidsel.selector import ClusterErrors, cluster_errors


@pytest.fixture
def errors() -> ClusterErrors:
    rng = np.random.default_rng(0)
    return cluster_errors(np.arange(300) % 30, rng.uniform(0.05, 0.2, 300))


def blue(path: Path) -> int:
    """Count the pixels of the bars' colour."""
    pixels = imread(path)[:, :, :3]
    return int((np.abs(pixels - to_rgb(BLUE)).sum(axis=2) < 0.05).sum())


def test_units() -> None:
    assert FORCE_UNITS["kcal/mol/Å"] == pytest.approx(1 / (units.kcal / units.mol))
    assert FORCE_UNITS["meV/Å"] == 1000


def test_cluster_errors_are_drawn_in_every_unit(errors: ClusterErrors, tmp_path: Path) -> None:
    shares = []
    for i, unit in enumerate(FORCE_UNITS):
        path = cluster_error_plot(errors, tmp_path / f"{i}.png", unit=unit, title="toluene")
        shares.append(blue(path))
    assert min(shares) > 20_000
    assert max(shares) < 1.1 * min(shares)


def test_smaller_errors_afterwards_are_lower_bars(errors: ClusterErrors, tmp_path: Path) -> None:
    half = ClusterErrors(
        errors.cluster,
        tuple(e / 2 for e in errors.rmse),
        errors.population,
        errors.measured,
        errors.overall / 2,
    )
    same = cluster_error_plot(errors, tmp_path / "same.png", after=errors)
    less = cluster_error_plot(errors, tmp_path / "half.png", after=half, names=("round 1", "round 2"))
    assert blue(less) == pytest.approx(blue(same) / 2, rel=0.15)


def test_the_same_errors_give_the_same_file(errors: ClusterErrors, tmp_path: Path) -> None:
    for ending in ("png", "svg"):
        paths = [tmp_path / folder / f"errors.{ending}" for folder in ("a", "b")]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            cluster_error_plot(errors, path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["errors.png", "errors.svg"]


def shapes(chart: Chart, fill: str) -> list[np.ndarray]:
    """Return the corners of all areas of a colour, from left to right."""
    found = [np.asarray(m.points) for m in chart.marks if isinstance(m, Shape) and m.fill == fill]
    return sorted(found, key=lambda points: float(points[:, 0].min()))


def test_words_are_as_they_are_given() -> None:
    curve = LearningCurve("random < picks & $co_2$", [1.0, 2.0], [0.2, 0.1])
    chart = learning_curve_chart([curve], title="a $ b")
    assert {"random < picks & $co_2$", "a $ b", "force RMSE (meV/Å)", "spent (core-h)"} <= set(chart.words)
    drawn = svg_of(chart)
    assert ">random &lt; picks &amp; $co_2$<" in drawn
    assert fromstring(drawn).tag.endswith("svg")


def test_bars_are_as_high_as_errors_and_as_many_as_clusters(errors: ClusterErrors) -> None:
    chart = cluster_error_chart(errors, unit="kcal/mol/Å")
    bars = [points for points in shapes(chart, BLUE) if points[:, 1].max() > 37]  # not that of the legend
    heights = np.array([np.ptp(points[:, 1]) for points in bars])
    assert len(bars) == 30
    np.testing.assert_allclose(heights / heights.max(), np.array(errors.rmse) / max(errors.rmse))
    assert f"overall: {errors.overall / (units.kcal / units.mol):.3g}" in chart.words


def test_populations_are_steps() -> None:
    found = cluster_errors(np.array([0, 0, 0, 1]), np.array([0.1, 0.1, 0.1, 0.4]))
    chart = cluster_error_chart(found)
    (steps,) = (
        np.asarray(m.points)
        for m in chart.marks
        if isinstance(m, Shape) and m.fill == "none" and len(list(m.points)) == 4
    )
    assert steps[0, 1] == steps[1, 1]
    assert 205 - steps[0, 1] == pytest.approx(3 * (205 - steps[3, 1]))


def test_crosses_mark_unknown_errors() -> None:
    group, known = np.arange(4), np.array([0.1, 0.2, 0.3, 0.4])

    def crosses(errors: np.ndarray) -> int:
        chart = cluster_error_chart(cluster_errors(group, errors))
        return sum(isinstance(mark, Shape) and mark.width == 1.4 for mark in chart.marks)

    lines = crosses(known)
    assert crosses(np.where(group == 2, np.nan, known)) == lines + 2


def test_many_clusters_are_labelled_at_the_worst_end() -> None:
    for count, labelled in ((30, 30), (31, 12)):
        chart = cluster_error_chart(cluster_errors(np.arange(count), 1.0 + np.arange(count)))
        told = [m.text for m in chart.marks if isinstance(m, Words) and m.y == 210.0]
        assert told == [str(c) for c in range(count - labelled, count)]


def test_unknown_errors_and_one_cluster_can_be_drawn(tmp_path: Path) -> None:
    some = cluster_errors(np.array([0, 1]), np.array([0.1, np.nan]))
    cluster_error_plot(some, tmp_path / "nan.png")
    cluster_error_plot(cluster_errors(np.array([4]), np.array([0.0])), tmp_path / "one.png")


def test_curves_are_drawn(tmp_path: Path) -> None:
    campaign = LearningCurve("campaign", [4.0, 1.0, 2.0], [0.03, 0.1, 0.06], [0.003, 0.01, 0.006])
    control = LearningCurve("control", [0.0, 2.0], [0.1, 0.09], extrapolated=True)
    for i, curves in enumerate([[campaign], [campaign, control], [LearningCurve("one", [1.0], [0.0])]]):
        path = learning_curve_plot(curves, tmp_path / f"{i}.png", spend_label="spent (accurate labels)")
        assert imread(path).shape[:2] == (680, 1200)


def test_a_band_is_drawn_between_its_ends() -> None:
    band = LearningCurve(
        "control", [2.0, 1.0], [0.1, 0.2], extrapolated=True, low=[0.05, 0.15], high=[0.3, 0.4]
    )
    found = shapes(learning_curve_chart([band]), BLUE)
    (area,) = (points for points in found if len(points) == 4)
    middles = np.array([points.mean(axis=0) for points in found if len(points) == 20])
    left, right = area[[0, 3]], area[[1, 2]]
    assert left[:, 0] == pytest.approx(middles[0, 0])
    assert right[:, 0] == pytest.approx(middles[1, 0])
    heights = np.log([0.15, 0.4, 0.2, 0.05, 0.3, 0.1])
    drawn = [*left[:, 1], middles[0, 1], *right[:, 1], middles[1, 1]]
    assert np.corrcoef(heights, drawn)[0, 1] == pytest.approx(-1.0)
    assert len(shapes(learning_curve_chart([LearningCurve("plain", [1.0], [0.1])]), BLUE)) == 1
    with pytest.raises(UsageError, match=r"band of curve 'x' needs as many low \(1\) and high ends \(0\)"):
        LearningCurve("x", [1.0], [0.1], low=[0.1])


def test_a_standard_error_above_the_error_stays_on_the_axes() -> None:
    curve = LearningCurve("a", [1.0, 2.0], [0.1, 0.01], standard_error=[0.01, 0.02])
    chart = learning_curve_chart([curve])
    corners = np.concatenate([np.asarray(m.points) for m in chart.marks if isinstance(m, Shape)])
    assert np.isfinite(corners).all()
    assert corners[:, 1].max() < 215


def test_a_legend_keeps_away_from_the_points() -> None:
    falling, rising = ([0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4])
    places: list[float] = []
    for error in (falling, rising):
        chart = learning_curve_chart([LearningCurve("a rather long name", [1.0, 2.0, 3.0, 4.0], error)])
        places += [mark.x for mark in chart.marks if isinstance(mark, Words) and "rather" in mark.text]
    assert places[0] > 250 > places[1]


def test_arms_have_colours_of_their_own() -> None:
    arms = [LearningCurve(str(i), [1.0, 2.0], [0.2 + i, 0.1 + i]) for i in range(len(COLORS))]
    chart = learning_curve_chart(arms)
    assert [len(shapes(chart, color)) for color in COLORS] == [2] * len(COLORS)


def test_no_global_state(errors: ClusterErrors, tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    cluster_error_plot(errors, tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def test_bad_requests(errors: ClusterErrors, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(UsageError, match="unit must be one of"):
        cluster_error_plot(errors, path, unit="hartree")
    with pytest.raises(UsageError, match="unit must be one of"):
        learning_curve_plot([LearningCurve("a", [1.0], [1.0])], path, unit="hartree")
    with pytest.raises(UsageError, match=r"written as \.png or \.svg"):
        cluster_error_plot(errors, tmp_path / "a.pdf")
    with pytest.raises(UsageError, match="same clusters"):
        cluster_error_plot(errors, path, after=cluster_errors(np.array([99]), np.ones(1)))
    with pytest.raises(UsageError, match="at least one curve"):
        learning_curve_plot([], path)
    with pytest.raises(UsageError, match="curve 'a' needs as many"):
        LearningCurve("a", [1.0, 2.0], [1.0])
    assert not path.exists()


def test_figures_do_not_depend_on_settings_of_matplotlib(errors: ClusterErrors, tmp_path: Path) -> None:
    """Some packages change them for everybody on import; the same report must give the same bytes."""
    import matplotlib as mpl

    plain = cluster_error_plot(errors, tmp_path / "a.png").read_bytes()
    with mpl.rc_context({"font.size": 7, "axes.linewidth": 3.0, "text.color": "red"}):
        assert cluster_error_plot(errors, tmp_path / "b.png").read_bytes() == plain


def test_a_figure_of_matplotlib_is_saved_the_same_way(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.5, 0.5, "a word")
    saved = [save_figure(figure, tmp_path / name).read_bytes() for name in ("a.svg", "a.svg", "a.png")]
    assert b">a word<" in saved[0] == saved[1]
    assert saved[2].startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        save_figure(figure, tmp_path / "a.pdf")
