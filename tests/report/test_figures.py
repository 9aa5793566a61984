from pathlib import Path

from selected import water_report

from fidsel.report.figures import drawings, figure_section, save_drawing
from fidsel.report.pictures.torsions import Turned


def test_what_there_is_to_draw_is_drawn() -> None:
    assert [found.name for found in drawings(water_report())] == [
        "before_after", "cluster_errors", "learning_curve",
    ]  # fmt: skip
    bare = water_report(before=None, curves=())
    assert [found.name for found in drawings(bare)] == ["cluster_errors"]
    assert drawings(water_report(errors=None, before=None, curves=())) == ()


def test_torsions_of_each_molecule_are_drawn_in_the_units_of_the_page() -> None:
    scan = Turned("C0–O1", [0.0, 60.0], [0.0, 0.05], {"model": [0.0, 0.04]})
    torsions = {"CH4O": (scan,), "H2O": ()}
    (drawn,) = drawings(water_report(errors=None, before=None, curves=(), torsions=torsions, source="dft"))
    assert list(drawn.figures) == ["meV/Å", "kcal/mol/Å"]
    assert [figure.axes[0].get_ylabel() for figure in drawn.figures.values()] == [
        "energy (meV)", "energy (kcal/mol)",
    ]  # fmt: skip
    assert drawn.caption.startswith("CH4O: energy along rotations about its bonds from the minimum of dft")


def test_a_figure_is_drawn_in_both_units_and_one_is_shown() -> None:
    (bars,) = drawings(water_report(before=None, curves=()))
    assert list(bars.figures) == ["meV/Å", "kcal/mol/Å"]
    assert "2 clusters; " in bars.alt
    section = figure_section(bars)
    assert section.count("<svg") == 2
    assert section.count(" hidden") == 1
    assert 'data-unit="kcal/mol/Å" hidden' in section
    assert "<?xml" not in section


def test_files_are_png_and_svg(tmp_path: Path) -> None:
    curve = drawings(water_report())[-1]
    save_drawing(curve, tmp_path / "figures")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "learning_curve.png", "learning_curve.svg",
    ]  # fmt: skip
    assert (tmp_path / "figures" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
