from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from ase import units
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from fidsel.exceptions import UsageError
from fidsel.report import LearningCurve, cluster_error_plot, learning_curve_plot
from fidsel.report.pictures.plot import (
    BLUE,
    FORCE_UNITS,
    cluster_error_figure,
    learning_curve_figure,
    require_picture,
    svg,
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


def test_svg_keeps_words_and_tells_figures_of_a_page_apart(errors: ClusterErrors) -> None:
    bars = svg(cluster_error_figure(errors, unit="kcal/mol/Å"), "bars")
    curves = svg(
        learning_curve_figure([LearningCurve("random < picks & co", [1.0, 2.0], [0.2, 0.1])]), "curves"
    )
    assert ">force RMSE (kcal/mol/Å)<" in bars
    assert ">random &lt; picks &amp; co<" in curves
    ids = [{e.attrib["id"] for e in fromstring(text).iter() if "id" in e.attrib} for text in (bars, curves)]
    clips = [{name for name in found if not name[0].isupper() and "_" not in name} for found in ids]
    assert all(clips)
    assert not clips[0] & clips[1]


def test_crosses_mark_unknown_errors(tmp_path: Path) -> None:
    group, known = np.arange(4), np.array([0.1, 0.2, 0.3, 0.4])
    axes = cluster_error_figure(cluster_errors(group, known)).axes[0]
    assert [len(c.get_offsets()) for c in axes.collections] == [0]
    some = cluster_errors(group, np.where(group == 2, np.nan, known))
    (crosses,) = cluster_error_figure(some).axes[0].collections
    assert crosses.get_offsets().tolist() == [[3, 0]]
    assert some.cluster[3] == 2


def test_many_clusters_are_labelled_at_the_worst_end() -> None:
    for count, labelled in ((30, 30), (31, 12)):
        axes = cluster_error_figure(cluster_errors(np.arange(count), 1.0 + np.arange(count))).axes[0]
        told = [label.get_text() for label in axes.get_xticklabels()]
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
    (drawn,) = learning_curve_figure([band]).axes[0].collections
    corners = {(round(x, 6), round(y, 6)) for x, y in drawn.get_paths()[0].vertices}
    assert corners >= {(1.0, 150.0), (1.0, 400.0), (2.0, 50.0), (2.0, 300.0)}
    assert not learning_curve_figure([LearningCurve("plain", [1.0], [0.1])]).axes[0].collections
    with pytest.raises(UsageError, match=r"band of curve 'x' needs as many low \(1\) and high ends \(0\)"):
        LearningCurve("x", [1.0], [0.1], low=[0.1])


@pytest.mark.parametrize("most", [1.2, 2.0, 7.0, 30.0, 3000.0])
def test_spend_axes_have_ticks_enough_to_read(most: float) -> None:
    figure = learning_curve_figure([LearningCurve("one", [130.0, 130.0 * most], [0.07, 0.05])])
    figure.canvas.draw()
    axis = figure.axes[0].xaxis
    told = [t.get_text() for t in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)) if t.get_text()]
    assert len(told) >= 3


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


def test_a_picture_is_named_before_it_is_drawn() -> None:
    require_picture(None)
    require_picture(Path("x.svg"))
    with pytest.raises(UsageError, match=r"\.png or \.svg, got x\.pdf"):
        require_picture(Path("x.pdf"))


def test_figures_do_not_depend_on_settings_of_matplotlib() -> None:
    """Some packages change them for everybody on import; the same report must give the same bytes."""
    import matplotlib as mpl

    errors = cluster_errors(np.array([0, 0, 1]), np.array([0.1, 0.2, 0.4]))
    plain = svg(cluster_error_figure(errors), "a")
    with mpl.rc_context({"font.size": 7, "axes.linewidth": 3.0, "axes.grid": True}):
        assert svg(cluster_error_figure(errors), "a") == plain
