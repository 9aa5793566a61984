import pytest

import fidsel
from fidsel.cli.tables.plan import plan_tables
from fidsel.fidelity.planner.recommend import PricedLevel, plan


def test_the_table_marks_the_recommended_split_and_names_the_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = fidsel.plan(budget="2core-h", prices={"pbe": 1.0, "ccsd(t)": 100.0})
    plan_tables(made)
    out, err = capsys.readouterr()
    assert sum("alone" in line.split("│")[1] for line in out.splitlines() if line.startswith("│")) == 1
    (marked,) = [line for line in out.splitlines() if "→" in line]
    assert [cell.strip() for cell in marked.split("│")[2:4]] == [str(n) for n in made.recommended.bought]
    assert "plan for 2 core-h; errors expected from other molecules" in out
    assert "the full 2 core-h" in err
    assert "10 validation labels, 0.2778 core-h" in err


def first_cells(text: str) -> list[list[str]]:
    """Return the mark and the labels of each row of the first table."""
    rows = [
        line.split("│")[1:4]
        for line in text.split("what if", maxsplit=1)[0].splitlines()
        if line.startswith("│")
    ]
    return [[cell.strip() for cell in row] for row in rows]


def test_cheap_labels_of_accurate_frames_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The best plan asks for no cheap labels beside those; accurate labels alone look the same then."""
    levels = [PricedLevel("cheap", 0.5, available=30), PricedLevel("dear", 1.5, available=30, companion=0.5)]
    made = plan(400, levels, minimum=3, unit="label")
    assert made.recommended.bought == made.table[0].bought == (0, 30)
    plan_tables(made)
    assert first_cells(capsys.readouterr().out) == [["alone", "0", "30"], ["→", "30", "30"]]


def test_accurate_labels_alone_can_be_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    plan_tables(plan(25, [PricedLevel("cheap", 0.9), PricedLevel("dear", 1.0)], unit="label"))
    assert first_cells(capsys.readouterr().out)[0] == ["→ alone", "0", "25"]


def test_a_single_level_is_not_set_apart(capsys: pytest.CaptureFixture[str]) -> None:
    plan_tables(plan(100, [PricedLevel("dear", 1.0)], unit="label"))
    assert first_cells(capsys.readouterr().out)[0][:2] == ["→", "100"]
