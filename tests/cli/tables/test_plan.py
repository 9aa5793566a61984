import pytest

import fidsel
from fidsel.cli.tables.plan import plan_tables


def test_the_table_marks_the_recommended_split_and_names_the_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = fidsel.plan(budget="2core-h", prices={"pbe": 1.0, "ccsd(t)": 100.0})
    plan_tables(made)
    out, err = capsys.readouterr()
    (marked,) = [line for line in out.splitlines() if "→" in line]
    assert [cell.strip() for cell in marked.split("│")[2:4]] == [str(n) for n in made.recommended.bought]
    assert "plan for 2 core-h; errors expected from other molecules" in out
    assert "the full 2 core-h" in err
    assert "10 validation labels, 0.2778 core-h" in err
